//! What must stay true of the tree as a whole. `cargo run -p xtask -- tidy` says what is not; `cargo test` does too.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod calls;
pub mod code;
pub mod docs;
mod names;
pub mod operations;
pub mod permissions;
pub mod queues;
pub mod stack;
pub mod template;
pub mod wiring;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Looks at the tree and says what is wrong, one sentence per finding.
pub type Rule = fn(&Tree) -> Vec<String>;

/// Every rule by its name.
pub const RULES: [(&str, Rule); 21] = [
    ("the domain is pure", code::domain_is_pure),
    ("mains are short", code::mains_are_short),
    ("configuration is read in settings only", code::configuration_is_read_in_settings),
    ("files are short", code::files_are_short),
    ("the architecture's paths exist", docs::architecture_paths_exist),
    ("every sample is described", docs::samples_are_described),
    ("the README names each function", docs::readme_names_functions),
    ("no paths of a machine, no registry hosts", docs::texts_stay_at_home),
    ("each function has its resource", stack::functions_have_resources),
    ("each setting is in the template", stack::settings_are_in_the_template),
    ("the template's table is the store's", stack::table_matches_schema),
    ("no permission for everything", stack::no_permission_for_everything),
    ("each role permits what its ports need", permissions::roles_are_exact),
    ("stars are explained", permissions::stars_are_explained),
    ("alarms are explained", operations::alarms_are_explained),
    ("what can fail has its alarm", operations::what_can_fail_has_its_alarm),
    ("deliveries are not limited", operations::deliveries_are_not_limited),
    ("functions unwind", operations::functions_unwind),
    ("costs add up", operations::costs_add_up),
    ("invocations are real", docs::invocations_are_real),
    ("queues keep their promises", queues::queues_keep_their_promises),
];

/// The tracked text files, by their path from the root.
#[derive(Debug, Default)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// The tree that this crate stands in, as git tracks it and as it is on the disk.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn of_repository() -> anyhow::Result<Self> {
        let root = root();
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output().context("running git")?;
        ensure!(listed.status.success(), "git ls-files failed: is this a checkout?");
        let listed = String::from_utf8(listed.stdout).context("a file name that is not UTF-8")?;
        let mut files = BTreeMap::new();
        for path in listed.split_terminator('\0') {
            // Deleted but not committed, a link to nowhere, or not text: nothing to look at.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                files.insert(path.to_owned(), text);
            }
        }
        ensure!(!files.is_empty(), "git tracks no files here");
        Ok(Self(files))
    }

    /// A file's text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Paths and texts.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files of the workspace; the examples are programs of their own.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs") && !path.starts_with("examples/"))
    }

    /// Whether a file or a folder is there.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.0.contains_key(path) || self.0.keys().any(|file| file.starts_with(&folder))
    }

    /// The names of the functions: the folders in `functions/`.
    pub fn functions(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.0.keys().filter_map(|path| path.strip_prefix("functions/")?.split('/').next()).collect();
        names.dedup();
        names
    }

    /// Runs every rule; `name: finding` each.
    pub fn tidy(&self) -> Vec<String> {
        RULES
            .iter()
            .flat_map(|(name, rule)| rule(self).into_iter().map(move |finding| format!("{name}: {finding}")))
            .collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect())
    }
}

fn root() -> PathBuf {
    // This crate stands in the root of the workspace.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
