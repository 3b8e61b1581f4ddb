//! The `hookyard` command: the whole gateway on one machine, and what one needs beside it.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = hookyard::cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(hookyard::cli::run(arguments))
}
