//! `cargo run -p xtask -- tidy`: what `cargo test` checks of the tree, without the tests.

use anyhow::bail;
use xtask::{RULES, Tree};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["tidy"] {
        bail!("usage: cargo run -p xtask -- tidy");
    }
    let findings = Tree::of_repository()?.tidy();
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} rules hold", RULES.len());
    Ok(())
}
