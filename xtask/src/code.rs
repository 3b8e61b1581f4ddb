//! Rules about the code.

use crate::Tree;

/// Names that a pure crate has no use for: runtimes, SDKs, HTTP, databases. A dependency whose name begins like one
/// of these is one.
const IMPURE: [&str; 15] = [
    "async-std",
    "aws",
    "axum",
    "dynoxide",
    "hyper",
    "http",
    "lambda",
    "octocrab",
    "reqwest",
    "rusqlite",
    "smol",
    "tokio",
    "tower",
    "tracing-subscriber",
    "ureq",
];

/// What reads a clock, the environment, or makes up an id.
const OUTSIDE: [&str; 8] =
    ["Timestamp::now", "Zoned::now", "SystemTime", "Instant::now", "Uuid::new_v", "Uuid::now", "std::env", "aws_s"];

/// A main wires; what could be wrong stands in the library, where tests reach it.
const MAIN_LINES: usize = 40;

/// Where a file becomes two.
const FILE_LINES: usize = 450;

/// `shared/domain` names no runtime, SDK or HTTP client, reads no clock and no environment.
pub fn domain_is_pure(tree: &Tree) -> Vec<String> {
    let Some(manifest) = tree.text("shared/domain/Cargo.toml") else {
        return vec!["shared/domain/Cargo.toml is missing".to_owned()];
    };
    let names = dependencies(manifest).filter(|name| IMPURE.iter().any(|impure| name.starts_with(impure)));
    let mut findings: Vec<_> = names.map(|name| format!("shared/domain depends on {name}")).collect();
    for (path, text) in tree.rust().filter(|(path, _)| path.starts_with("shared/domain/src/")) {
        findings.extend(OUTSIDE.iter().filter(|word| text.contains(**word)).map(|word| format!("{path} names {word}")));
    }
    findings
}

/// Mains of functions have at most 40 lines.
pub fn mains_are_short(tree: &Tree) -> Vec<String> {
    let mains = tree.rust().filter(|(path, _)| path.starts_with("functions/") && path.ends_with("/src/main.rs"));
    longer_than(MAIN_LINES, mains)
}

/// No Rust file has more than 450 lines.
pub fn files_are_short(tree: &Tree) -> Vec<String> {
    longer_than(FILE_LINES, tree.rust())
}

/// The process environment is read in `settings.rs` and `main.rs` only.
pub fn configuration_is_read_in_settings(tree: &Tree) -> Vec<String> {
    let reads = concat!("env::", "var");
    let places = ["settings.rs", "main.rs"];
    let elsewhere = tree.rust().filter(|(path, _)| !places.iter().any(|place| path.ends_with(&format!("/{place}"))));
    let elsewhere = elsewhere.filter(|(_, text)| text.contains(reads));
    elsewhere.map(|(path, _)| format!("{path} reads the environment")).collect()
}

fn longer_than<'a>(lines: usize, files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    files
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, count)| *count > lines)
        .map(|(path, count)| format!("{path} has {count} lines, {lines} are the limit"))
        .collect()
}

/// The names in every `[…dependencies]` of a manifest, also those of `[dependencies.name]`.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.ends_with("dependencies");
            return header.split_once("dependencies.").map(|(_, name)| name);
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        (inside && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impure_domain_is_found() {
        let pure =
            ("shared/domain/Cargo.toml", "[dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n");
        assert!(domain_is_pure(&Tree::from([pure])).is_empty());
        for manifest in [
            "[dependencies]\ntokio = \"1\"\n",
            "[dependencies]\naws-sdk-sns.workspace = true\n",
            "[dev-dependencies]\nreqwest = { version = \"0\" }\n",
            "[dependencies.hyper]\nversion = \"1\"\n",
            "[target.'cfg(unix)'.dependencies]\nhttp = \"1\"\n",
        ] {
            assert_eq!(domain_is_pure(&Tree::from([("shared/domain/Cargo.toml", manifest)])).len(), 1, "{manifest}");
        }
        for source in ["jiff::Timestamp::now()", "use aws_sdk_sns::Client;", "Uuid::new_v4()", "std::env::args()"] {
            let tree = Tree::from([pure, ("shared/domain/src/ids.rs", source)]);
            assert_eq!(domain_is_pure(&tree).len(), 1, "{source}");
        }
        assert_eq!(domain_is_pure(&Tree::default()).len(), 1);
    }

    #[test]
    fn long_files_are_found() {
        let main = "functions/ingest/src/main.rs";
        assert!(mains_are_short(&Tree::from([(main, &*"\n".repeat(40))])).is_empty());
        assert_eq!(mains_are_short(&Tree::from([(main, &*"\n".repeat(41))])).len(), 1);
        assert!(files_are_short(&Tree::from([("shared/a/src/b.rs", &*"\n".repeat(450))])).is_empty());
        assert_eq!(files_are_short(&Tree::from([("shared/a/src/b.rs", &*"\n".repeat(451))])).len(), 1);
    }

    #[test]
    fn configuration_read_elsewhere_is_found() {
        let reads = concat!("let x = std::env::", "var(\"X\");");
        for (path, findings) in [
            ("functions/a/src/settings.rs", 0),
            ("local/src/main.rs", 0),
            ("shared/aws/src/client.rs", 1),
            ("functions/a/src/other_settings.rs", 1),
            ("examples/rust/src/lib.rs", 0),
        ] {
            assert_eq!(configuration_is_read_in_settings(&Tree::from([(path, reads)])).len(), findings, "{path}");
        }
    }
}
