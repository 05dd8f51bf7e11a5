//! The commands of the binary `vitrine` (contract 1).
//!
//! Results go to stdout, progress and logs to stderr. Exit codes: 0 done · 1 failed · 2 wrong usage or configuration ·
//! 3 audit found a difference · 4 another owner took over · 5 events are missing upstream.

mod ask;
mod audit;
mod check;
mod config;
mod conservation;
mod demo;
mod open;
mod progress;
mod publish;
mod run;
mod simulate;
mod sql;
mod status;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use pipeline::error::Error;
use pipeline::publisher::EpochError;
use pipeline::run::process::{RunError, kind_code};
use tracing_subscriber::EnvFilter;

use self::config::{Config, ConfigError};

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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work: simulated events, a broker, the pipeline, in one process
    Demo(demo::DemoArgs),
    /// Consume, aggregate, write and publish until told to stop
    Run(run::RunArgs),
    /// Write deterministic events, reference data and the truth about them
    Simulate(simulate::SimulateArgs),
    /// Look for everything that is wrong with configuration and texts, offline
    Check(check::CheckArgs),
    /// Send event files to Kafka
    Publish(publish::PublishArgs),
    /// Recompute every metric row in batch and account for every record
    Audit(audit::AuditArgs),
    /// Show watermarks, lag, epoch, finality, alerts
    Status(status::StatusArgs),
    /// Ask a question of one epoch, or open a prompt
    Sql(sql::SqlArgs),
}

/// Parses arguments, runs the command and says how it went.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logs(arguments.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vitrine: no threads can be started: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(dispatch(arguments));
    // Nothing that counts is left in the background: everything durable has been waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vitrine: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let load = || config::load(arguments.config.as_deref());
    match arguments.command {
        Command::Demo(args) => {
            if let Some(file) = &arguments.config {
                tracing::warn!(file = %file.display(), "a demo runs under a configuration of its own; this one is not read");
            }
            demo::run(&args).await
        }
        Command::Run(args) => run::run(&args, load()?).await,
        Command::Simulate(args) => simulate::run(&args, &load()?).await,
        Command::Check(args) => check::run(&args, arguments.config.as_deref()).await,
        Command::Publish(args) => publish::run(&args, &load()?).await,
        Command::Audit(args) => audit::run(&args, &load()?).await,
        Command::Status(args) => status::run(&args, &load()?).await,
        Command::Sql(args) => {
            let config = load()?;
            let reader = open::Reader::new(&config)?;
            sql::run(&args, async || reader.session().await).await
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ConfigError>().is_some() || error.downcast_ref::<Usage>().is_some() {
        return 2;
    }
    if error.downcast_ref::<audit::Differences>().is_some() {
        return 3;
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        return kind_code(error.kind());
    }
    if let Some(EpochError::Engine(error)) = error.downcast_ref() {
        return kind_code(error.kind());
    }
    match error.downcast_ref::<RunError>() {
        Some(error) => error.exit_code(),
        None => sql::exit_code(error),
    }
}

/// A mistake in how a command was called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_env("VITRINE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,vitrine=info,jobs=info,pipeline=info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs
            .with_ansi(
                std::env::var_os("NO_COLOR").is_none()
                    && std::io::IsTerminal::is_terminal(&std::io::stderr()),
            )
            .with_target(false)
            .init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Writes lines to stdout; a reader that has seen enough (`| head`) is no failure.
fn say(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("stdout cannot be written")?,
        }
    }
    Ok(())
}

/// The storage of a configuration.
fn store(config: &Config) -> anyhow::Result<std::sync::Arc<dyn object_store::ObjectStore>> {
    pipeline::log::open_store(&config.storage.url)
        .with_context(|| format!("storage cannot be opened url={}", config.storage.url))
}
