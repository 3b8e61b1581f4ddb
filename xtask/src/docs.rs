//! Rules about texts: what they name exists, what exists is named, and they stay at home.

use crate::Tree;

/// Every path that `docs/architecture.md` names in backticks or links to exists.
pub fn architecture_paths_exist(tree: &Tree) -> Vec<String> {
    let Some(text) = tree.text("docs/architecture.md") else {
        return vec!["docs/architecture.md is missing".to_owned()];
    };
    let missing = paths(tree, text).into_iter().filter(|path| !tree.has(path));
    missing.map(|path| format!("docs/architecture.md names {path}, which does not exist")).collect()
}

/// Every file in `events/` is mentioned in `events/README.md`.
pub fn samples_are_described(tree: &Tree) -> Vec<String> {
    let readme = tree.text("events/README.md").unwrap_or_default();
    let samples = tree.files().filter_map(|(path, _)| path.strip_prefix("events/"));
    let silent = samples.filter(|path| *path != "README.md" && !readme.contains(path));
    silent.map(|path| format!("events/README.md does not mention {path}")).collect()
}

/// Every `sam local invoke` and `cargo lambda invoke` in the texts names a function and a sample that is for it, by
/// `events/index.json`, whose samples tests show to the handlers; and every sample has both lines in `events/README.md`.
pub fn invocations_are_real(tree: &Tree) -> Vec<String> {
    let index = tree.text("events/index.json").map(yaml_serde::from_str::<yaml_serde::Value>);
    let Some(Ok(index)) = index else { return vec!["events/index.json cannot be read".to_owned()] };
    let samples = index.get("lambda").and_then(|it| it.as_sequence()).into_iter().flatten();
    let sample = |entry: &yaml_serde::Value| {
        let of = |key| entry.get(key).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
        (of("function"), format!("events/{}", of("file")))
    };
    let samples: Vec<(String, String)> = samples.map(sample).collect();
    let sam = |(function, file): &(String, String)| {
        format!("sam local invoke {} --event {file}", crate::stack::logical_id(function))
    };
    let cargo = |(function, file): &(String, String)| format!("cargo lambda invoke {function} --data-file {file}");
    let known: Vec<String> = samples.iter().flat_map(|it| [sam(it), cargo(it)]).collect();
    let texts = tree.files().filter(|(path, _)| path.ends_with(".md"));
    let said = texts.flat_map(|(path, text)| text.lines().map(move |line| (path, line.trim())));
    let said =
        said.filter(|(_, line)| line.starts_with("sam local invoke ") || line.starts_with("cargo lambda invoke "));
    let said: Vec<(&str, &str)> = said.collect();
    let strange = said.iter().filter(|(_, line)| !known.iter().any(|it| it == line));
    let mut findings: Vec<_> =
        strange.map(|(path, line)| format!("{path}: no sample and function fit {line:?}")).collect();
    findings.extend(samples.iter().filter(|(_, file)| !tree.has(file)).map(|(_, file)| format!("{file} is missing")));
    for line in known.iter().filter(|line| !said.contains(&("events/README.md", line))) {
        findings.push(format!("events/README.md lacks: {line}"));
    }
    findings
}

/// The README says of each function what it is for.
pub fn readme_names_functions(tree: &Tree) -> Vec<String> {
    let Some(readme) = tree.text("README.md") else {
        return vec!["README.md is missing".to_owned()];
    };
    let named = |name: &str| readme.contains(&format!("functions/{name}")) || readme.contains(&format!("`{name}`"));
    let unnamed = tree.functions().into_iter().filter(|name| !named(name));
    unnamed.map(|name| format!("README.md does not mention the function {name}")).collect()
}

/// No tracked text names a folder of somebody's machine or the host of a package registry.
pub fn texts_stay_at_home(tree: &Tree) -> Vec<String> {
    // In two pieces each, so that this file passes its own rule.
    let strange = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("crates", ".io"),
        concat!("registry", ".npmjs"),
        concat!("pypi", ".org"),
        concat!("python", "hosted.org"),
        concat!("proxy.gol", "ang.org"),
    ];
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (number, line) in text.lines().enumerate() {
            // The lock file names its registry by the address of the index, as cargo writes it.
            let line = line.replace(concat!("github.com/rust-lang/crates", ".io-index"), "");
            findings.extend(
                strange
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{path}:{} names {word}", number + 1)),
            );
        }
    }
    findings
}

/// What looks like a path of this tree: in backticks or the target of a link, and either below a folder of the root
/// or a file by its ending. Patterns (`functions/<name>/`, `docs/adr/NNNN-*.md`) are none.
fn paths<'a>(tree: &Tree, text: &'a str) -> Vec<&'a str> {
    let in_backticks = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let is_path = |word: &&str| {
        let plain =
            word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)) && !word.starts_with(['/', '.']);
        let ending = [".rs", ".md", ".toml", ".yaml", ".yml", ".json"].iter().any(|end| word.ends_with(end));
        let below = word.split_once('/').is_some_and(|(first, _)| tree.has(first));
        plain && (ending || below)
    };
    // Links are relative to docs/: `../` leads to the root.
    let linked = linked.map(|link| link.strip_prefix("../").unwrap_or(link));
    in_backticks.chain(linked).filter(is_path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_has_rotted_is_found() {
        let findings = |text: &str| {
            let files = [("docs/architecture.md", text), ("shared/aws/src/sns.rs", ""), ("template.yaml", "")];
            architecture_paths_exist(&Tree::from(files)).len()
        };
        for (text, count) in [
            ("`shared/aws/src/sns.rs` and `shared/aws/`, `shared/aws`, [it](../template.yaml)", 0),
            ("`owner/name`, `application/json`, `/v1/events`, `functions/<name>/`, `events/*.json`", 0),
            ("[GitHub](https://docs.example/a.md)", 0),
            ("`shared/aws/src/ses.rs`", 1),
            ("`shared/gone/`", 1),
            ("`samconfig.toml`", 1),
            ("[it](../gone.yaml#here)", 1),
        ] {
            assert_eq!(findings(text), count, "{text}");
        }
        assert_eq!(architecture_paths_exist(&Tree::default()).len(), 1);
    }

    #[test]
    fn silence_about_samples_and_functions_is_found() {
        let samples = [("events/README.md", "`a.json`"), ("events/a.json", ""), ("events/lambda/b.json", "")];
        assert_eq!(samples_are_described(&Tree::from(samples)), ["events/README.md does not mention lambda/b.json"]);
        let functions =
            [("README.md", "`ingest`"), ("functions/ingest/Cargo.toml", ""), ("functions/api/Cargo.toml", "")];
        assert_eq!(readme_names_functions(&Tree::from(functions)), ["README.md does not mention the function api"]);
    }

    #[test]
    fn invocations_of_nothing_are_found() {
        const LINES: &str = "sam local invoke IngestFunction --event events/lambda/a.json\ncargo lambda invoke ingest --data-file events/lambda/a.json\n";
        let findings = |from: &str, to: &str| {
            let lines = LINES.replace(from, to);
            invocations_are_real(&Tree::from([
                ("events/index.json", r#"{"lambda": [{"file": "lambda/a.json", "function": "ingest"}]}"#),
                ("events/lambda/a.json", "{}"),
                ("events/README.md", lines.as_str()),
            ]))
            .len()
        };
        assert_eq!(findings("", ""), 0);
        for (from, to) in [
            ("IngestFunction", "ApiFunction"),
            ("invoke ingest", "invoke api"),
            ("a.json", "b.json"),
            ("--data-file", "--data"),
            ("sam local", "sam"),
        ] {
            assert!(findings(from, to) > 0, "{from} -> {to}");
        }
    }

    #[test]
    fn strange_places_are_found() {
        for (text, count) in [
            (concat!("see /wo", "rk/main"), 1),
            (concat!("cd /ho", "me/me"), 1),
            (concat!("https://crates", ".io/crates/x"), 1),
            (concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\""), 0),
            ("see /worker and /homepage", 0),
        ] {
            assert_eq!(texts_stay_at_home(&Tree::from([("a.md", text)])).len(), count, "{text}");
        }
    }
}
