//! Values of cells in a line: without control characters, and not too long.

/// Characters of a value that are shown.
const SHOWN: usize = 60;
/// Characters before the first one that differs, where the beginning is left out.
const BEFORE: usize = 20;

/// A value in quotes, or NULL.
pub(super) fn value(value: Option<&str>) -> String {
    quoted(value, 0)
}

/// Two values, cut to where they differ.
pub(super) fn both(one: Option<&str>, other: Option<&str>) -> [String; 2] {
    let same = match (one, other) {
        (Some(one), Some(other)) => one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    [quoted(one, same), quoted(other, same)]
}

/// A text without control characters, cut short.
pub(super) fn shown(text: &str) -> String {
    part(text, 0)
}

/// A value in quotes, or NULL; `same` characters are those of the other value.
fn quoted(value: Option<&str>, same: usize) -> String {
    value.map_or_else(|| "NULL".to_owned(), |text| format!("\"{}\"", part(text, same)))
}

/// A text without control characters, cut to what is worth showing around its character `from`.
fn part(text: &str, from: usize) -> String {
    let all = text.chars().count();
    let skipped = if all > SHOWN { from.saturating_sub(BEFORE).min(all - SHOWN) } else { 0 };
    let mut cut = String::from(if skipped > 0 { "…" } else { "" });
    for character in text.chars().skip(skipped).take(SHOWN) {
        match character {
            '"' | '\'' => cut.push(character),
            _ => cut.extend(character.escape_debug()),
        }
    }
    if all > skipped + SHOWN {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_around_what_differs() {
        let long = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        assert_eq!(part(&long, 100), format!("…{}X{}…", "a".repeat(20), "b".repeat(39)));
        assert_eq!(part(&long, 0), format!("{}…", "a".repeat(60)));
        assert_eq!(part(&long, 200), format!("…{}", "b".repeat(60)));
        assert_eq!(part("short", 3), "short");
    }
}
