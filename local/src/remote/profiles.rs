//! Gateways by name: `profiles.toml` in the user's configuration folder.
//!
//! ```toml
//! [work]
//! url = "https://hooks.example"
//! key_file = "work.key"
//! ```

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::settings::Environment;

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// Its address.
    pub(super) url: String,
    /// The file with its key: beside `profiles.toml` unless the path is absolute or begins with `~/`.
    pub(super) key_file: Option<PathBuf>,
}

/// The gateway of that name.
pub(super) fn find(name: &str, environment: &Environment) -> Result<Profile, Failure> {
    let home = environment.outside("HOME").map(PathBuf::from);
    // What is not absolute does not count (XDG Base Directory Specification).
    let folder = environment.outside("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let Some(folder) = folder.map(|folder| folder.join("hookyard")) else {
        return Err(Failure::usage("there is no folder for profiles", "set HOME or XDG_CONFIG_HOME, or give --url"));
    };
    let path = folder.join("profiles.toml");
    let shown = path.display();
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::usage(
            format!("there is no profile {name}, because there is no {shown}"),
            format!("write [{name}] into it, then url = \"https://…\" and key_file = \"{name}.key\""),
        ),
        _ => Failure::usage(format!("{shown} cannot be read: {error}"), "see who may read it"),
    })?;
    pick(&text, name, &folder, home.as_deref()).map_err(|(what, hint)| Failure::usage(format!("{shown} {what}"), hint))
}

/// One of them, with the path of its key made whole.
fn pick(text: &str, name: &str, folder: &Path, home: Option<&Path>) -> Result<Profile, (String, String)> {
    // What the reader says against a text may repeat a value of it, and somebody may have put a key there.
    let all: BTreeMap<String, Profile> = basic_toml::from_str(text).map_err(|_| {
        let hint = "each has [NAME], then url = \"https://…\" and key_file = \"PATH\", and nothing else";
        ("does not hold profiles".to_owned(), hint.to_owned())
    })?;
    let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
    let mut profile =
        all.into_iter().find(|(other, _)| other == name).map(|(_, profile)| profile).ok_or_else(|| {
            let hint = if known.is_empty() { "it holds none".to_owned() } else { format!("it has {known}") };
            (format!("has no profile {name}"), hint)
        })?;
    profile.key_file = profile.key_file.map(|path| match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    });
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\n[work]\nurl = \"https://hooks.example\"\nkey_file = \"work.key\"\n\n[home]\nurl = \"http://127.0.0.1:7778\"\n\n[else]\nurl = \"https://b.example\"\nkey_file = \"~/keys/b\"\n";

    #[test]
    fn a_gateway_by_its_name() {
        let pick = |name| pick(TEXT, name, Path::new("/c/hookyard"), Some(Path::new("/h")));
        let work = pick("work").unwrap();
        assert_eq!((work.url.as_str(), work.key_file), ("https://hooks.example", Some("/c/hookyard/work.key".into())));
        assert_eq!(pick("home").unwrap().key_file, None);
        assert_eq!(pick("else").unwrap().key_file, Some("/h/keys/b".into()));
        let (what, hint) = pick("wrok").unwrap_err();
        assert_eq!((what.as_str(), hint.as_str()), ("has no profile wrok", "it has else, home, work"));
    }

    #[test]
    fn what_is_no_profile_is_not_repeated() {
        for text in
            ["work = \"hush\"", "[work]\nurl = \"https://a\"\nkey = \"hush\"", "[work]\nkey_file = 7", "[work", "hush"]
        {
            let (what, hint) = pick(text, "work", Path::new("/c"), None).unwrap_err();
            assert!(!format!("{what}{hint}").contains("hush"), "{what} {hint}");
        }
    }
}
