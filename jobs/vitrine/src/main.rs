//! The binary `vitrine`: arguments, and which command runs (contract 1).
//!
//! ```text
//! demo/ run/ simulate/ check/ publish audit/ status/ sql/    one module per command
//! config/      vitrine.toml and the environment
//! storage      object store, sessions over the newest epoch, reference data
//! query        queries of the commands themselves, with rows as structs
//! output progress logs local_time                            stdout, stderr, local times
//! exit         exit codes
//! ```
//!
//! Results go to stdout, progress and logs to stderr.

mod audit;
mod check;
mod config;
mod demo;
mod exit;
mod local_time;
mod logs;
mod output;
mod progress;
mod publish;
mod query;
mod run;
mod simulate;
mod sql;
mod status;
mod storage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, setrlimit};
use pipeline::error::{broken_down, panic_text};

use self::logs::LogFormat;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "vitrine", version, about, long_about = None)]
struct Arguments {
    /// Configuration file; without it, defaults and VITRINE__SECTION__KEY
    #[arg(long, global = true, value_name = "FILE", env = "VITRINE_CONFIG")]
    config: Option<PathBuf>,
    /// How logs are written to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work: simulated events, a broker and the pipeline in one process
    Demo(demo::DemoArgs),
    /// Consume, aggregate, write and publish until stopped
    Run(run::RunArgs),
    /// Write deterministic events, reference data and the truth about them
    Simulate(simulate::SimulateArgs),
    /// List every problem of configuration, reference data, queries and rules, offline
    Check(check::CheckArgs),
    /// Send event files to Kafka
    Publish(publish::PublishArgs),
    /// Recompute every metric row in batch and account for every record
    Audit(audit::AuditArgs),
    /// Show watermarks, lag, epoch, finality and alerts
    Status(status::StatusArgs),
    /// Query one epoch, or open a prompt
    Sql(sql::SqlArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match without_core_dumps().and_then(|()| on_large_stack(move || run(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(format_args!("vitrine: {error:#}"));
            ExitCode::from(exit::code(&error))
        }
    }
}

/// A core file would hold secrets of the configuration and texts of records that nobody may see (F31).
fn without_core_dumps() -> anyhow::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("core dumps cannot be switched off")
}

/// Room for the deepest query that passes the guard: planning recurses once per level. Only what is touched takes memory.
const STACK_BYTES: usize = 256 << 20;

/// Runs on a thread whose stack is large: that of the process is as the shell set it.
fn on_large_stack(
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new()
        .name("vitrine".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .context("a thread cannot be started")?;
    match thread.join() {
        Ok(result) => result,
        Err(panic) => Err(broken_down("this command", panic_text(panic.as_ref())).into()),
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    logs::start(arguments.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .context("threads cannot be started")?;
    let result = runtime.block_on(dispatch(arguments));
    if result.as_ref().is_err_and(exit::is_cut) {
        // What is still at work needs the runtime until the process is gone.
        std::mem::forget(runtime);
    } else {
        // Nothing durable is left in the background: commands wait for it.
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
    result
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Demo(args) => {
            if let Some(file) = file {
                tracing::warn!(file = %file.display(), "the demo has its own configuration; this file is not read");
            }
            demo::run(&args).await
        }
        Command::Run(args) => run::run(&args, &config::load(file)?).await,
        Command::Simulate(args) => simulate::run(&args, &config::load(file)?).await,
        Command::Check(check::CheckArgs {}) => check::run(file).await,
        Command::Publish(args) => publish::run(&args, &config::load(file)?).await,
        Command::Audit(args) => audit::run(&args, &config::load(file)?).await,
        Command::Status(args) => status::run(&args, &config::load(file)?).await,
        Command::Sql(args) => sql::run(&args, &config::load(file)?).await,
    }
}
