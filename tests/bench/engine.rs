//! Vitrine with all its metrics, from start to exit, watched from outside.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pipeline::time::wall;
use tests::events::Topics;
use tests::kafka::Broker;
use tests::project::Project;

use crate::orders::{self, Sent};
use crate::process::{Used, Watch};
use crate::profile::Profile;

/// How often threads and memory are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// A run from start to exit.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub wall_s: f64,
    pub used: Used,
    /// Bytes of logs and of tables that it left.
    pub stored_bytes: u64,
    pub epochs: i64,
    pub rows: i64,
    /// Rows of the demand feed: one for each series and day.
    pub feed_rows: i64,
    /// Share of CPU time per stage, if it was sampled.
    pub stages: Vec<(&'static str, f64)>,
}

/// Runs `vitrine run --until-caught-up` on topics.
pub(crate) fn run_on_kafka(
    broker: &Broker,
    topics: &Topics,
    sent: &Sent,
    profiled: bool,
) -> Result<Ran> {
    let reference = tempfile::tempdir()?;
    orders::write_reference(reference.path())?;
    let project = Project::on_kafka(broker, topics, reference.path())?;
    run(project, sent, profiled)
}

/// Runs `vitrine run --until-caught-up`, and checks by its books that it has done the work.
/// `profiled`: its stacks are sampled too, where there is `perf`; that costs time of its own.
pub(crate) fn run(project: Project, sent: &Sent, profiled: bool) -> Result<Ran> {
    let project = project.set(
        "VITRINE__TIME__ORDERS__OUT_OF_ORDERNESS",
        orders::OUT_OF_ORDERNESS,
    );
    let began = wall::monotonic();
    let vitrine = project.start(&["run", "--until-caught-up"])?;
    let profile = match profiled {
        true => Profile::start(vitrine.id())?,
        false => None,
    };
    let mut watch = Watch::new(vitrine.id());
    while !watch.has_ended()? {
        ensure!(
            began.elapsed() < PATIENCE,
            "vitrine is not done after {PATIENCE:?}\n{}",
            vitrine.stderr()?
        );
        thread::sleep(LOOK_EVERY);
    }
    let wall_s = began.elapsed().as_secs_f64();
    vitrine.wait(LOOK_EVERY)?.success()?;
    let stages = profile
        .map(Profile::stages)
        .transpose()?
        .unwrap_or_default();
    let stored_bytes = size(&project.storage())?;
    if sent.records == 0 {
        return Ok(Ran {
            wall_s,
            used: watch.used(),
            stored_bytes,
            epochs: 0,
            rows: 0,
            feed_rows: 0,
            stages,
        });
    }

    let books = |column: &str| -> Result<u64> {
        let query = format!("SELECT sum({column}) AS n FROM ops.conservation");
        u64::try_from(project.number(&query)?).context("a negative count")
    };
    ensure!(books("read_n")? == sent.records, "not all was read");
    ensure!(
        books("duplicate_n")? == sent.duplicates,
        "duplicates were not all found"
    );
    ensure!(
        books("dead_letter_n")? == sent.malformed,
        "others were refused than those that are malformed"
    );
    ensure!(
        books("accepted_n")? == sent.records - sent.duplicates - sent.malformed,
        "not every order was accepted"
    );
    Ok(Ran {
        wall_s,
        used: watch.used(),
        stored_bytes,
        epochs: project.number("SELECT max(epoch) FROM ops.epochs")?,
        rows: project.number("SELECT count(*) FROM metrics_revisions.demand_orders")?,
        feed_rows: project.number("SELECT count(*) FROM feeds.demand_daily")?,
        stages,
    })
}

fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
