//! The binary `vitrine`; see [`jobs::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    jobs::cli::main()
}
