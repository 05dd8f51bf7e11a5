//! Logs on stderr, filtered by `VITRINE_LOG`.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::exit::CommandError;

const VARIABLE: &str = "VITRINE_LOG";
const DEFAULT_FILTER: &str = "warn,vitrine=info,jobs=info,pipeline=info";

/// How logs are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
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
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let has_colours =
                std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal();
            logs.with_ansi(has_colours).with_target(false).init();
        }
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}
