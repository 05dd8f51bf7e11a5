//! `vitrine sql`: one query, a script from standard input, or a prompt.
//!
//! Each query pins the newest epoch when it starts; all tables it reads agree. Rows go to stdout (or `--output`), messages about them to
//! stderr.

mod complete;
mod meta;
mod print;
mod prompt;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pipeline::query::output::Format;
use pipeline::query::{Session, statement};

use self::print::{ignore_broken_pipe, print_once};
use crate::config::Config;
use crate::exit::CommandError;
use crate::storage::EpochReader;

/// Arguments of `vitrine sql`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine sql \"SELECT sku_id, sum(requested_qty) FROM demand_orders WHERE window_kind = 'D1' GROUP BY 1\"
  vitrine sql --output demand.parquet \"SELECT * FROM feeds.demand_daily\"
  vitrine sql --format csv < report.sql
  vitrine sql                             (a prompt; \\? shows its commands)")]
pub(crate) struct SqlArgs {
    /// One query; without it, a prompt, or the statements of standard input if that is not a terminal
    #[arg(allow_hyphen_values = true)]
    query: Option<String>,
    /// Format of the rows [default: table, or the one that the extension of --output names]
    #[arg(long, value_parser = formats())]
    format: Option<Format>,
    /// Write the rows to a file, which appears when it is complete; - is standard output
    #[arg(long, value_name = "FILE", requires = "query")]
    output: Option<PathBuf>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|name| name.parse::<Format>())
}

impl SqlArgs {
    /// Where the rows go, unless to standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|file| *file != "-")
    }

    fn format(&self) -> Format {
        let extension = self
            .file()
            .and_then(Path::extension)
            .and_then(|extension| extension.to_str());
        self.format
            .or_else(|| extension?.parse().ok())
            .unwrap_or(Format::Table)
    }
}

/// What a terminal cannot show.
fn refuse_binary(format: Format) -> Result<(), CommandError> {
    if format.is_binary() {
        return Err(CommandError::Usage(format!(
            "format={format} is binary; add --output FILE or redirect stdout"
        )));
    }
    Ok(())
}

/// Runs the command.
pub(crate) async fn run(args: &SqlArgs, config: &Config) -> Result<()> {
    let format = args.format();
    if args.file().is_none() && io::stdout().is_terminal() {
        refuse_binary(format)?;
    }
    let reader = EpochReader::new(config)?;
    // Each query reads the newest epoch.
    let open = async || reader.session().await;
    match args.query.as_deref().map(statement::without_mark) {
        Some(query) => print_once(open().await?, query, format, args.file())
            .await
            .or_else(ignore_broken_pipe),
        None if io::stdin().is_terminal() => prompt::run(format, open).await,
        None => script(format, open).await.or_else(ignore_broken_pipe),
    }
}

/// Runs the statements of standard input.
async fn script(format: Format, open: impl AsyncFn() -> Result<Session>) -> Result<()> {
    let mut script = String::new();
    io::stdin()
        .read_to_string(&mut script)
        .context("statements cannot be read from standard input")?;
    for query in statement::split(statement::without_mark(&script)) {
        print_once(open().await?, query, format, None).await?;
    }
    Ok(())
}
