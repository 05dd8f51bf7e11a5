//! Where a process spends its CPU time, by stage of the pipeline: samples of its stacks, by `perf`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A stage and what the names of its functions hold.
type Stage = (&'static str, &'static [&'static str]);

/// A sample counts for the stage of its innermost function that has one; of two stages that a function fits, the first counts.
/// `it/bench_profile.rs` holds the marks against the tree.
const STAGES: [Stage; 13] = [
    ("decode events", &["schemas::event"]),
    ("judge, deduplicate", &["pipeline::decode"]),
    (
        "histories and operators",
        &["pipeline::history", "jobs::operator"],
    ),
    ("stream.sql and panes", &["pipeline::pane"]),
    (
        "rounds: shard.sql, public.sql",
        &[
            "pipeline::round::evaluat",
            "pipeline::shard::state::ShardState<R>::aggregate",
        ],
    ),
    ("rounds: what is new", &["pipeline::round::compare"]),
    ("demand feed", &["pipeline::publisher::feed"]),
    (
        "records to Kafka",
        &["pipeline::sink::record", "pipeline::kafka::producer"],
    ),
    (
        "Parquet and Delta",
        &[
            "pipeline::table",
            "pipeline::publisher::rows",
            "pipeline::publisher::sealed_rows",
            "pipeline::sink::rows",
        ],
    ),
    (
        "alerts: rules and deliveries",
        &["pipeline::alert", "jobs::alerts", "pipeline::sink"],
    ),
    (
        "logs: encode, compress, fsync",
        &["pipeline::log", "postcard::"],
    ),
    ("records from Kafka", &["pipeline::source"]),
    ("reference data", &["jobs::reference"]),
];
/// Where none of ours is left on the part of the stack that was kept.
const LIBRARIES: [Stage; 3] = [
    ("DataFusion, caller unknown", &["datafusion"]),
    ("Kafka client, its own threads", &["rdkafka", "rd_kafka"]),
    (
        "Parquet and Delta, caller unknown",
        &["parquet::", "deltalake", "buoyant_kernel"],
    ),
];
const OTHER: &str = "everything else";

/// Samples a process until it ends.
pub(crate) struct Profile {
    perf: Child,
    data: tempfile::NamedTempFile,
}

impl Profile {
    /// `None` where there is no `perf`.
    pub(crate) fn start(process: u32) -> Result<Option<Self>> {
        let data = tempfile::NamedTempFile::new()?;
        let perf = Command::new("perf")
            .args(["record", "--freq", "99", "--call-graph", "dwarf,16384"])
            .args(["--pid", &process.to_string(), "--output"])
            .arg(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(perf.ok().map(|perf| Self { perf, data }))
    }

    /// Share of the samples per stage, most first. To be called once the process has ended.
    pub(crate) fn stages(mut self) -> Result<Vec<(&'static str, f64)>> {
        ensure!(self.perf.wait()?.success(), "perf has failed");
        shares(&script(self.data.path())?)
    }
}

fn script(data: &Path) -> Result<String> {
    let output = Command::new("perf")
        .args([
            "script",
            "--no-inline",
            "--fields",
            "comm,ip,sym",
            "--input",
        ])
        .arg(data)
        .stderr(Stdio::null())
        .output()
        .context("perf script")?;
    ensure!(output.status.success(), "perf script has failed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A sample is a paragraph: a line with the thread's name, then its functions, the innermost first.
fn shares(script: &str) -> Result<Vec<(&'static str, f64)>> {
    let mut samples: BTreeMap<&str, u32> = BTreeMap::new();
    for sample in script.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let find = |stages: &[Stage]| {
            sample
                .lines()
                .skip(1)
                .find_map(|line| stage_of(stages, line))
        };
        let stage = find(&STAGES).or(find(&LIBRARIES)).unwrap_or(OTHER);
        *samples.entry(stage).or_default() += 1;
    }
    let all: u32 = samples.values().sum();
    ensure!(all > 0, "perf has seen nothing");
    let mut shares: Vec<_> = samples
        .into_iter()
        .map(|(stage, count)| (stage, f64::from(count) / f64::from(all)))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(shares)
}

fn stage_of(stages: &[Stage], function: &str) -> Option<&'static str> {
    stages
        .iter()
        .find(|(_, marks)| marks.iter().any(|mark| function.contains(mark)))
        .map(|(stage, _)| *stage)
}
