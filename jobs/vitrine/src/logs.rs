//! Logs on stderr, filtered by `VITRINE_LOG`.

mod escaping;

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use self::escaping::Escaping;
use crate::exit::CommandError;

const VARIABLE: &str = "VITRINE_LOG";
const DEFAULT_FILTER: &str = "warn,vitrine=info,jobs=info,pipeline=info";

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Starts logging for the whole process.
pub(crate) fn start(format: LogFormat) -> Result<(), CommandError> {
    let filter = if std::env::var_os(VARIABLE).is_some() {
        EnvFilter::try_from_env(VARIABLE).map_err(|error| {
            CommandError::Usage(format!("{VARIABLE} is not a log filter: {error}"))
        })?
    } else {
        EnvFilter::new(DEFAULT_FILTER)
    };
    let has_colours = format == LogFormat::Text
        && std::env::var_os("NO_COLOR").is_none()
        && std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Escaping::new(std::io::stderr(), has_colours));
    match format {
        LogFormat::Text => logs.with_ansi(has_colours).with_target(false).init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}
