//! Looks for inputs that break what reads them: mutated events, files, tables, configurations and queries.
//!
//! ```text
//! tests/fuzz/run decode --seconds 3600 --state decode.json
//! ```
//!
//! Case `n` of seed `s` is the same on every machine. A child process tries the cases and notes each before it begins, so that what aborts
//! or hangs it is known by its number; the parent writes that down and goes on with the next. Without instrumentation there is no feedback
//! from coverage: inputs are drawn from the structure that the reader expects, then damaged.
//!
//! ```text
//! supervise    the parent: starts the child, watches it, reports
//! work         the child: draws, tries, counts
//! state        what is known of a run: resumed from, written every few seconds
//! finding      an input that broke something, as a file
//! target       what a target is
//! mutate       damage to bytes, texts and JSON trees
//! decode       an event's payload                    `schemas::event::decode`
//! event_files  a folder of event files               `pipeline::source::files`
//! reference    a folder of CSV and Parquet files     `jobs::reference`
//! config       vitrine.toml and environment          `vitrine check`
//! sql          a query over a small storage          `pipeline::query`
//! control      what this program has to notice: its own test
//! ```

mod config;
mod control;
mod csv_table;
mod decode;
mod event_files;
mod finding;
mod mutate;
mod reference;
mod sql;
mod sql_text;
mod state;
mod storage;
mod supervise;
mod target;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, anyhow};
use clap::Parser;

use crate::finding::Finding;
use crate::target::{Outcome, TargetName};

/// As the binary has it (`jobs/vitrine/src/main.rs`): queries are planned by recursion.
const STACK_BYTES: usize = 256 << 20;

/// Looks for inputs that break what reads them.
#[derive(Parser)]
struct Options {
    target: TargetName,
    /// Time spent on cases, over all runs of one state.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seed of all cases.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the run is written down, and resumed from if the file exists; without it, nowhere.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// A case that takes longer is a finding.
    #[arg(long, default_value_t = 60)]
    case_seconds: u64,
    /// Tries the input of a finding again.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    #[arg(long, hide = true, requires = "state")]
    child: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || run(&options));
    let clean = thread
        .context("a thread cannot be started")
        .and_then(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the fuzzer itself panicked")))
        });
    match clean {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn run(options: &Options) -> Result<bool> {
    if let Some(file) = &options.replay {
        return replay(options.target, &Finding::load(file)?);
    }
    match &options.state {
        Some(state) if options.child => work::work(options.seconds, state).map(|()| true),
        _ => supervise::supervise(options),
    }
}

/// Tries one input with panics as they are.
fn replay(target: TargetName, finding: &Finding) -> Result<bool> {
    let outcome = target.open()?.check(&finding.input)?;
    println!("{outcome:?}");
    Ok(!matches!(outcome, Outcome::Broken(_)))
}
