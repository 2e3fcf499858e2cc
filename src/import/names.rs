//! From the names of a mapping file to those of pipelines.

/// Words that are their own plural here; what ends in a single `s` already is one.
const SAME_IN_PLURAL: [&str; 1] = ["network"];

/// The stem of a domain, for its file: `user_domain` is `user`. Made of what an entity may be made of.
pub(super) fn stem(domain: &str) -> String {
    let base = domain.strip_suffix("_domain").unwrap_or(domain).to_lowercase();
    let clean: String =
        base.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' }).collect();
    let clean = clean.trim_matches('_');
    match clean.chars().next() {
        Some(first) if first.is_ascii_lowercase() => clean.to_owned(),
        Some(_) => format!("domain_{clean}"),
        None => "domain".to_owned(),
    }
}

/// The entity of a stem: its plural in English, by rule.
pub(super) fn entity(stem: &str) -> String {
    let word = stem.rsplit('_').next().unwrap_or(stem);
    let before_last = word.chars().rev().nth(1);
    if SAME_IN_PLURAL.contains(&word) || (word.ends_with('s') && !word.ends_with("ss")) {
        return stem.to_owned();
    }
    if let Some(stump) = stem.strip_suffix('y')
        && before_last.is_some_and(|c| !"aeiou".contains(c))
    {
        return format!("{stump}ies");
    }
    let hisses = ["ss", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    format!("{stem}{}", if hisses { "es" } else { "s" })
}

/// The name of a target: the short one of its title, with its number where another has that name.
pub(super) fn unique(short: &str, number: Option<u64>, table: Option<&str>, taken: &[String]) -> String {
    let usable = Some(short).filter(|name| !name.is_empty() && !name.contains('\0'));
    let name = usable.or(table).unwrap_or("target").replace('\0', "_");
    if !taken.contains(&name) {
        return name;
    }
    let numbered = number.map(|number| format!("{name}_{number}"));
    numbered
        .into_iter()
        .chain((2..).map(|count| format!("{name}_{count}")))
        .find(|candidate| !taken.contains(candidate))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_file_and_its_plural_is_the_entity() {
        for (domain, file, plural) in [
            ("user_domain", "user", "users"),
            ("agent_domain", "agent", "agents"),
            ("transaction_domain", "transaction", "transactions"),
            ("participant_domain", "participant", "participants"),
            ("network_domain", "network", "network"),
            ("listings_domain", "listings", "listings"),
            ("company_domain", "company", "companies"),
            ("survey_domain", "survey", "surveys"),
            ("home_address_domain", "home_address", "home_addresses"),
            ("inbox", "inbox", "inboxes"),
            ("Odd Name-domain", "odd_name_domain", "odd_name_domains"),
            ("../etc/passwd", "etc_passwd", "etc_passwds"),
            ("2nd_domain", "domain_2nd", "domain_2nds"),
            ("é_domain", "domain", "domains"),
        ] {
            assert_eq!(stem(domain), file);
            assert_eq!(entity(file), plural);
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_its_number() {
        let taken = ["user".to_owned(), "user_665".to_owned()];
        assert_eq!(unique("user", Some(664), None, &taken), "user_664");
        assert_eq!(unique("user", Some(665), None, &taken), "user_2");
        assert_eq!(unique("", Some(1), Some("mvpw5_1"), &taken), "mvpw5_1");
        assert_eq!(unique("a.b", None, None, &taken), "a.b");
    }
}
