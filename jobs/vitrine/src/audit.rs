//! `vitrine audit`: is everything accounted for, and does batch give the rows that streaming published?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pipeline::publisher::EpochRecord;
use pipeline::query::Session;
use pipeline::query::audit::{Audit, PublishedRows, TableAudit};
use pipeline::time::Zone;
use schemas::event::Topic;

use super::conservation::{self, Conservation};
use super::progress::Progress;
use super::{ask, open};
use crate::config::Config;
use jobs::catalogue;
use jobs::reference::{ReferenceArchive, RetailReference};

/// Arguments of `vitrine audit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml audit
  vitrine --config vitrine.toml audit --since 2026-01-12T00:00:00+08:00    (windows that end later)

Exit code 3 if anything differs.")]
pub struct AuditArgs {
    /// Recompute only windows that end after this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    pub since: Option<DateTime<Utc>>,
}

/// What an audit found.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    pub epoch: i64,
    /// By topic and partition.
    pub conservation: Vec<Conservation>,
    pub tables: Vec<TableAudit>,
    /// Windows that the epoch had not revised yet: left out.
    pub unrevised: usize,
}

impl AuditReport {
    /// Places that do not add up, and rows that differ.
    pub fn differences(&self) -> u64 {
        let leaks = self.conservation.iter().filter(|one| !one.holds()).count() as u64;
        leaks + self.tables.iter().map(|table| table.differing).sum::<u64>()
    }

    /// A line a shard and a line a table; partitions that do not add up have their own.
    pub fn lines(&self) -> Vec<String> {
        let verdict = |holds: bool| if holds { "ok" } else { "DIFFERS" };
        let mut lines = Vec::new();
        for shard in conservation::by_shard(&self.conservation) {
            lines.push(format!(
                "shard {}: {shard}: {}",
                shard.shard,
                verdict(shard.holds())
            ));
        }
        for one in self.conservation.iter().filter(|one| !one.holds()) {
            lines.push(format!("  {}/{}: {one}: DIFFERS", one.topic, one.partition));
        }
        for table in &self.tables {
            let mut line = format!(
                "{}: {} rows compared, {} differing",
                table.table, table.compared, table.differing
            );
            if let Some(first) = &table.first {
                line.push_str(&format!("; first: {first}"));
            }
            lines.push(line);
        }
        if self.unrevised > 0 {
            lines.push(format!(
                "left out: {} windows that epoch {} had not revised yet ([epoch] revise_every)",
                self.unrevised, self.epoch
            ));
        }
        lines
    }
}

/// Something differs: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("audit found differences={0}")]
pub struct Differences(pub u64);

/// Runs the command.
pub async fn run(args: &AuditArgs, config: &Config) -> anyhow::Result<()> {
    let since_ms = args.since.map(|at| at.timestamp_millis());
    let mut progress = Progress::new("recomputed", None);
    let report = audit(config, since_ms, |done, of| {
        progress.at(done as u64, &format!("of {of} windows"));
    })
    .await?;
    drop(progress);
    super::say(report.lines())?;
    match report.differences() {
        0 => Ok(()),
        differences => Err(Differences(differences).into()),
    }
}

/// Audits the newest epoch; `told` hears how many windows have been recomputed, and of how many.
pub async fn audit(
    config: &Config,
    since_ms: Option<i64>,
    told: impl FnMut(usize, usize),
) -> anyhow::Result<AuditReport> {
    let (epoch, session) = open::Reader::new(config)?.newest().await?;
    let conservation = conservation::by_partition(&session).await?;
    let mut recomputed = recompute(config, &epoch, &session).await?;
    let zone = Zone(config.time.zone);
    let mut published = BTreeMap::new();
    for metric in catalogue::metrics()?.iter() {
        let sql = format!("SELECT * FROM metrics.{}", metric.name);
        let rows = ask::batches(&session, &sql).await?;
        published.insert(metric.name.clone(), PublishedRows::new(&rows, zone)?);
    }
    // All that is compared has been read.
    session.close().await;
    Ok(AuditReport {
        epoch: epoch.epoch,
        conservation,
        tables: recomputed.compare(&published, since_ms, told).await?,
        unrevised: recomputed.unrevised(),
    })
}

/// Applies the accepted events of every shard at once.
async fn recompute(
    config: &Config,
    epoch: &EpochRecord,
    session: &Session,
) -> anyhow::Result<Audit<RetailReference>> {
    let archive = ReferenceArchive::new(super::store(config)?);
    let reference = archive.read(&epoch.reference).await?;
    let zone = Zone(config.time.zone);
    let metrics = catalogue::metrics()?;
    let policy = catalogue::policy()?;
    let shards = epoch.cut.keys().max().map_or(0, |last| last + 1);
    let mut audit = Audit::new(zone, metrics.clone(), epoch);
    // Every shard has read these.
    let mut global = Vec::new();
    for topic in Topic::ALL.into_iter().filter(|topic| !topic.is_keyed()) {
        let sql = format!("SELECT * FROM events.{}", topic.name());
        for batch in ask::batches(session, &sql).await? {
            global.push((topic, batch));
        }
    }
    for shard in 0..shards {
        let mut events = global.clone();
        for topic in Topic::ALL.into_iter().filter(|topic| topic.is_keyed()) {
            let sql = format!(
                "SELECT * FROM events.{} WHERE \"partition\" = {shard}",
                topic.name()
            );
            for batch in ask::batches(session, &sql).await? {
                events.push((topic, batch));
            }
        }
        let reference = RetailReference::new(reference.clone());
        let (metrics, policy) = (metrics.clone(), policy.clone());
        // No rules: what they would say has been said.
        let core =
            catalogue::shard_core(zone, shard, shards, reference, metrics, policy, Vec::new())
                .await?;
        audit.add_shard(shard, core, &events).await?;
        tracing::debug!(shard, "events applied");
    }
    Ok(audit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> AuditReport {
        AuditReport {
            epoch: 7,
            conservation: vec![Conservation {
                topic: "orders".to_owned(),
                read_n: 3,
                accepted_n: 2,
                duplicate_n: 1,
                stored_n: 2,
                ..Conservation::default()
            }],
            tables: vec![TableAudit {
                table: "metrics.sell_through".to_owned(),
                compared: 10,
                ..TableAudit::default()
            }],
            unrevised: 0,
        }
    }

    #[test]
    fn a_line_a_shard_and_a_line_a_table() {
        assert_eq!(
            report().lines(),
            [
                "shard 0: read 3 = accepted 2 + duplicate 1 + dead letters 0 + too late 0; events stored 2: ok",
                "metrics.sell_through: 10 rows compared, 0 differing",
            ]
        );
        assert_eq!(report().differences(), 0);
    }

    #[test]
    fn leaks_and_differing_rows_count_alike() {
        let mut report = report();
        report.conservation[0].stored_n = 1;
        report.tables[0].differing = 2;
        report.tables[0].first = Some("D1 2026-01-05 sku_id=A is missing".to_owned());
        report.unrevised = 4;
        assert_eq!(report.differences(), 3);
        let lines = report.lines();
        assert!(
            lines[0].ends_with("DIFFERS") && lines[1].starts_with("  orders/0: "),
            "{lines:?}"
        );
        assert!(lines[2].ends_with("first: D1 2026-01-05 sku_id=A is missing"));
        assert!(lines[3].starts_with("left out: 4 windows that epoch 7"));
    }
}
