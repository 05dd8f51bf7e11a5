//! `vitrine sql`: one query, a script from standard input, or a prompt.
//!
//! Each query pins the newest epoch when it starts; all tables it reads agree. Rows go to stdout (or `--output`), everything
//! said about them to stderr.

mod complete;
mod meta;
mod prompt;
mod statement;

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pipeline::query::output::{self, Format, OutputError};
use pipeline::query::{QueryError, Session};
use pipeline::time::wall;

/// Arguments of `vitrine sql`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine sql \"SELECT sku_id, sum(requested_qty) FROM demand_orders WHERE window_kind = 'D1' GROUP BY 1\"
  vitrine sql --output demand.parquet \"SELECT * FROM feeds.demand_daily\"
  vitrine sql --format csv < report.sql
  vitrine sql                             (a prompt; \\? shows its commands)")]
pub struct SqlArgs {
    /// One query; without it, a prompt, or the statements of standard input if that is no terminal
    pub query: Option<String>,
    /// How rows are written [default: table, or what the ending of --output says]
    #[arg(long, value_parser = formats())]
    pub format: Option<Format>,
    /// Write the rows to a file, which appears when it is complete
    #[arg(long, value_name = "FILE", requires = "query")]
    pub output: Option<PathBuf>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|name| name.parse::<Format>())
}

impl SqlArgs {
    fn format(&self) -> Format {
        let ending = self
            .output
            .as_deref()
            .and_then(Path::extension)
            .and_then(|ending| ending.to_str());
        self.format
            .or_else(|| ending?.parse().ok())
            .unwrap_or(Format::Table)
    }
}

/// Runs the command. `open` opens the newest epoch; it is called once per query.
pub async fn run(args: &SqlArgs, open: impl AsyncFn() -> Result<Session>) -> Result<()> {
    let format = args.format();
    if format.is_binary() && args.output.is_none() && io::stdout().is_terminal() {
        bail!("format={format} is binary; add --output FILE or redirect stdout");
    }
    match &args.query {
        Some(query) => print_once(open().await?, query, format, args.output.as_deref())
            .await
            .or_else(quietly),
        None if io::stdin().is_terminal() => prompt::run(format, open).await,
        None => script(format, open).await.or_else(quietly),
    }
}

/// The exit code that belongs to an error of [`run`]: 2 if the query has to change, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let query = error.downcast_ref::<QueryError>().or_else(|| {
        match error.downcast_ref::<OutputError>()? {
            OutputError::Query(query) => Some(query),
            _ => None,
        }
    });
    if query.is_some_and(QueryError::is_in_the_query) {
        2
    } else {
        1
    }
}

async fn script(format: Format, open: impl AsyncFn() -> Result<Session>) -> Result<()> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .context("cannot read statements from standard input")?;
    for query in statement::split(&text) {
        print_once(open().await?, query, format, None).await?;
    }
    Ok(())
}

/// Prints one answer and lets go of its epoch.
async fn print_once(
    session: Session,
    query: &str,
    format: Format,
    file: Option<&Path>,
) -> Result<()> {
    let printed = print(&session, query, format, file).await;
    session.close().await;
    printed
}

/// A reader that has seen enough (`vitrine sql … | head`) is no failure.
fn quietly(error: anyhow::Error) -> Result<()> {
    match error.downcast_ref::<OutputError>() {
        Some(output) if output.is_broken_pipe() => Ok(()),
        _ => Err(error),
    }
}

async fn print(session: &Session, query: &str, format: Format, file: Option<&Path>) -> Result<()> {
    let started = wall::monotonic();
    let answer = session.query(query).await?;
    let rows = match file {
        Some(file) => {
            let part = part_of(file);
            let sink =
                File::create(&part).with_context(|| format!("cannot create {}", part.display()))?;
            let written = output::write(answer, format, BufWriter::new(sink)).await;
            let finished = match written {
                Ok(rows) => fs::rename(&part, file)
                    .map(|()| rows)
                    .context("cannot name the finished file"),
                Err(error) => Err(error.into()),
            };
            finished.inspect_err(|_| {
                let _ = fs::remove_file(&part);
            })?
        }
        None => output::write(answer, format, BufWriter::new(io::stdout())).await?,
    };
    if format == Format::Table || file.is_some() {
        let plural = if rows == 1 { "" } else { "s" };
        eprintln!(
            "{rows} row{plural}, {}, {} ms",
            epoch_of(session),
            started.elapsed().as_millis()
        );
    }
    Ok(())
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

/// Which epoch answers, for people.
fn epoch_of(session: &Session) -> String {
    let instant = DateTime::from_timestamp_millis(session.committed_at_ms()).unwrap_or_default();
    format!(
        "epoch={} of {}",
        session.epoch(),
        instant.format("%Y-%m-%dT%H:%M:%SZ")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;
    use object_store::memory::InMemory;
    use pipeline::query::Engine;
    use pipeline::query::catalog::{Snapshot, ViewText};

    use super::*;

    /// A session over two views, `metrics.demand_orders` and `facts.order_lines`.
    pub(super) async fn session() -> Session {
        let view = |schema: &str, name: &str, sql: &str| ViewText {
            schema: schema.to_owned(),
            name: name.to_owned(),
            sql: sql.to_owned(),
            ..ViewText::default()
        };
        let snapshot = Snapshot {
            epoch: 7,
            committed_at_ms: 1_767_542_400_000,
            zone: chrono_tz::Asia::Shanghai,
            tables: Vec::new(),
            finality: Vec::new(),
            reference: Vec::new(),
            views: vec![
                view(
                    "metrics",
                    "demand_orders",
                    "SELECT 'S1' AS sku_id, 5 AS requested_qty",
                ),
                view(
                    "facts",
                    "order_lines",
                    "SELECT 'S1' AS sku_id, 250 AS price_fen",
                ),
            ],
        };
        let engine = Engine::new(Arc::new(InMemory::new()), 64 << 20).unwrap();
        Session::open(&snapshot, &engine).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_appears_when_it_is_complete_and_not_after_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("demand.csv");
        let session = session().await;
        let failing = "SELECT 1 / (value - 3) FROM generate_series(1, 5)";
        assert!(
            print(&session, failing, Format::Csv, Some(&file))
                .await
                .is_err()
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        print(
            &session,
            "SELECT * FROM demand_orders",
            Format::Csv,
            Some(&file),
        )
        .await
        .unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "sku_id,requested_qty\nS1,5\n"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(epoch_of(&session), "epoch=7 of 2026-01-04T16:00:00Z");
    }

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        sql: SqlArgs,
    }

    fn format(arguments: &[&str]) -> Format {
        Command::try_parse_from(["sql"].iter().chain(arguments))
            .unwrap()
            .sql
            .format()
    }

    #[test]
    fn the_format_is_said_or_follows_the_file() {
        assert_eq!(format(&["SELECT 1"]), Format::Table);
        assert_eq!(format(&["SELECT 1", "--format", "ndjson"]), Format::NdJson);
        assert_eq!(
            format(&["SELECT 1", "--output", "a.parquet"]),
            Format::Parquet
        );
        assert_eq!(
            format(&["SELECT 1", "--output", "a.parquet", "--format", "csv"]),
            Format::Csv
        );
        assert_eq!(
            format(&["SELECT 1", "--output", "notes.txt"]),
            Format::Table
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let error = Command::try_parse_from(["sql", "SELECT 1", "--format", "xml"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("ndjson"), "{error}");
        assert!(
            Command::try_parse_from(["sql", "--output", "a.csv"]).is_err(),
            "--output without a query"
        );
    }

    #[test]
    fn exit_codes_tell_whose_turn_it_is() {
        let name = "t".to_owned();
        assert_eq!(
            exit_code(
                &QueryError::NoTable {
                    name,
                    nearest: None
                }
                .into()
            ),
            2
        );
        assert_eq!(exit_code(&OutputError::Query(QueryError::Empty).into()), 2);
        assert_eq!(
            exit_code(
                &QueryError::Run {
                    message: "memory".to_owned()
                }
                .into()
            ),
            1
        );
        assert_eq!(exit_code(&anyhow::anyhow!("no epoch yet")), 1);
    }

    #[test]
    fn a_broken_pipe_is_quiet_and_other_errors_are_not() {
        let error = |kind: io::ErrorKind| OutputError::Io(kind.into()).into();
        assert!(quietly(error(io::ErrorKind::BrokenPipe)).is_ok());
        assert!(quietly(error(io::ErrorKind::StorageFull)).is_err());
    }
}
