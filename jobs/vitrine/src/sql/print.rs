//! The rows of one query, to stdout or to a file.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono_tz::Tz;
use pipeline::error::Error;
use pipeline::query::output::{self, Format, Written};
use pipeline::query::{QueryResult, Session};
use pipeline::time::wall;

use crate::local_time::local;
use crate::output::tell;

/// Links behind one another, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A reader that has seen enough (`vitrine sql … | head`) is not a failure.
pub(super) fn ignore_broken_pipe(error: anyhow::Error) -> Result<()> {
    if is_broken_pipe(&error) {
        Ok(())
    } else {
        Err(error)
    }
}

/// Whether the reader of the rows has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(output::is_broken_pipe)
}

/// Prints one answer and lets go of its epoch.
pub(super) async fn print_once(
    session: Session,
    query: &str,
    format: Format,
    file: Option<&Path>,
) -> Result<()> {
    let printed = print(&session, query, format, file).await;
    session.close().await;
    printed
}

/// Runs a query and prints its rows to stdout, or to a file that appears when it is complete.
pub(super) async fn print(
    session: &Session,
    query: &str,
    format: Format,
    file: Option<&Path>,
) -> Result<()> {
    let started = wall::monotonic();
    let answer = session.query(query).await?;
    let written = match file {
        Some(file) => write_file(answer, format, file).await?,
        None => output::write(answer, format, BufWriter::new(io::stdout())).await?,
    };
    if format == Format::Table || file.is_some() {
        let rows = written.rows;
        let plural = if rows == 1 { "" } else { "s" };
        tell(format_args!(
            "{rows} row{plural}, {}, {} ms",
            epoch_of(session),
            started.elapsed().as_millis()
        ));
    }
    if let Some(warning) = nulled(written) {
        tell(warning);
    }
    Ok(())
}

/// A word about values that JSON cannot show.
pub(super) fn nulled(written: Written) -> Option<String> {
    let values = match written.nulled {
        0 => return None,
        1 => "1 value is".to_owned(),
        many => format!("{many} values are"),
    };
    Some(format!(
        "{values} NaN or infinite and null here, JSON does not know them; --format arrow and parquet keep them"
    ))
}

/// Writes rows to a file. A regular file appears when it is complete, or is replaced and keeps its mode; where something else
/// stands (a pipe, a device), the rows go into it.
async fn write_file(answer: QueryResult, format: Format, file: &Path) -> Result<Written> {
    let not_created = || format!("file={} cannot be created", file.display());
    let found = fs::metadata(file).ok();
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        let sink = File::options().write(true).open(file);
        let sink = BufWriter::new(sink.with_context(not_created)?);
        return Ok(output::write(answer, format, sink).await?);
    }
    // A link stays; what it leads to is replaced or made.
    let target = target_of(file).with_context(not_created)?;
    let not_created = || {
        if target == file {
            not_created()
        } else {
            format!("{}: it leads to {}", not_created(), target.display())
        }
    };
    let part = part_of(&target);
    let sink = File::create(&part).with_context(not_created)?;
    if let Some(found) = found {
        sink.set_permissions(found.permissions())
            .with_context(not_created)?;
    }
    let written = output::write(answer, format, BufWriter::new(sink)).await;
    let finished = match written {
        Ok(written) => fs::rename(&part, &target)
            .map(|()| written)
            .with_context(not_created),
        Err(error) => Err(error.into()),
    };
    finished.inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    })
}

/// Where a link, or the last of several, leads to, also if nothing is there yet.
fn target_of(file: &Path) -> io::Result<PathBuf> {
    let mut target = file.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&target) else {
            return Ok(target);
        };
        // An absolute path takes the place of the folder.
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    // Says what is wrong with links that lead to one another.
    fs::canonicalize(file)
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

/// The epoch of a session and when it was committed.
pub(super) fn epoch_of(session: &Session) -> String {
    let committed_at = local(session.committed_at(), Tz::UTC, "%Y-%m-%dT%H:%M:%SZ");
    format!("epoch={} of {committed_at}", session.epoch())
}
