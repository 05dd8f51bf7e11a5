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

/// Text for people, as `.table`.
const TEXT_ENDING: &str = "txt";

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|name| name.parse::<Format>())
}

impl SqlArgs {
    /// Where the rows go, unless to standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|file| *file != "-")
    }

    /// The one that was asked for, or the one that the ending of a new file names. What is for people: a file without an ending, and what
    /// stands there already, be it a pipe, with an ending that says nothing.
    fn format(&self) -> Result<Format, CommandError> {
        let ending = self.file().and_then(Path::extension);
        match (self.format, ending) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::Table),
            (None, Some(ending)) => match of_ending(&ending.to_string_lossy()) {
                Err(_) if self.file().is_some_and(Path::exists) => Ok(Format::Table),
                found => found,
            },
        }
    }
}

/// The format of files whose name ends so, in upper or lower case.
fn of_ending(ending: &str) -> Result<Format, CommandError> {
    let wanted = ending.to_lowercase();
    if wanted == TEXT_ENDING {
        return Ok(Format::Table);
    }
    wanted.parse().map_err(|_| {
        let known = Format::ALL.map(|format| format!(".{format}")).join(", ");
        CommandError::Usage(format!(
            "no format for files that end in .{ending}: known are .{TEXT_ENDING}, {known}; rename the file or add --format"
        ))
    })
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
    let format = args.format()?;
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
    let mut script = Vec::new();
    io::stdin()
        .read_to_end(&mut script)
        .context("statements cannot be read from standard input")?;
    let script = text_of(script)?;
    for query in statement::split(statement::without_mark(&script)) {
        print_once(open().await?, query, format, None).await?;
    }
    Ok(())
}

/// A script has to be UTF-8, as an argument has.
fn text_of(script: Vec<u8>) -> Result<String, CommandError> {
    String::from_utf8(script).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, rest) = error.as_bytes().split_at(at);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let byte = rest.first().copied().unwrap_or_default();
        CommandError::Usage(format!(
            "standard input is no UTF-8: line={line} byte=0x{byte:02x}; save the script as UTF-8"
        ))
    })
}
