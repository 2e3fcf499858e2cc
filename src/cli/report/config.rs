//! `config show`: each setting with its value and where it comes from.

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use crate::cli::config::show::{Origin, Shown};
use crate::cli::style::{Style, Tone};

/// Writes the file, the profile and the settings.
///
/// # Errors
///
/// Those of the writer.
pub fn config(out: &mut dyn Write, shown: &Shown, style: Style) -> io::Result<()> {
    let profiles = match shown.profiles.as_slice() {
        [] => String::new(),
        all => format!(" (of {})", all.join(", ")),
    };
    for (name, text) in [
        ("file", shown.file.clone().unwrap_or_else(|| "none: there is no xdoflow.toml here".to_owned())),
        ("profile", format!("{}{profiles}", shown.profile.as_deref().unwrap_or("none"))),
    ] {
        writeln!(out, "{} {text}", style.paint(Tone::Dim, &format!("{name:<8}")))?;
    }
    writeln!(out)?;
    let mut table = Table::new(vec![("Setting", Side::Left), ("Value", Side::Left), ("From", Side::Left)]);
    for setting in &shown.settings {
        let tone = if setting.from == Origin::Default { Tone::Dim } else { Tone::Plain };
        let from = match &setting.place {
            Some(place) => format!("{} {place}", setting.from.name()),
            None => setting.from.name().to_owned(),
        };
        table.row(vec![
            Cell::plain(setting.key),
            Cell { text: style.signs(setting.value.as_deref().unwrap_or("-")).into_owned(), tone },
            Cell { text: from, tone: Tone::Dim },
        ]);
    }
    table.print(out, style)?;
    writeln!(out, "\n{}", style.paint(Tone::Dim, "an option on the command line beats them all"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, text};
    use super::*;
    use crate::cli::config::show::ShownSetting;

    #[test]
    fn each_setting_has_its_value_and_its_place() {
        let setting = |key, value: Option<&str>, from, place: Option<&str>| ShownSetting {
            key,
            value: value.map(ToOwned::to_owned),
            from,
            place: place.map(ToOwned::to_owned),
        };
        let shown = Shown {
            file: Some("xdoflow.toml".to_owned()),
            profile: Some("prod".to_owned()),
            profiles: vec!["prod".to_owned(), "test".to_owned()],
            settings: vec![
                setting("jobs", Some("4"), Origin::Environment, Some("XDOFLOW_JOBS")),
                setting("notify", Some("mail …"), Origin::Profile, Some("xdoflow.toml:7")),
                setting("wait", None, Origin::Default, None),
            ],
        };
        let expected = "\
file     xdoflow.toml
profile  prod (of prod, test)

Setting  Value     From
jobs     4         environment XDOFLOW_JOBS
notify   mail ...  profile xdoflow.toml:7
wait     -         default

an option on the command line beats them all
";
        assert_eq!(text(|out| config(out, &shown, ASCII)), expected);
    }
}
