//! The figures as Markdown.

use std::fmt::Write;
use std::fs;

use anyhow::Result;

use crate::drain::Drained;
use crate::engine::Ran;
use crate::known_ids::Remembered;
use crate::orders::{CUSTOMERS, OUT_OF_ORDERNESS, PARTITIONS, SKUS, Sent};

const MB: f64 = 1e6;

/// All that one run of the benchmark found.
pub(crate) struct Report {
    pub at: String,
    pub seed: u64,
    pub sent: Sent,
    pub bare: Drained,
    pub decoded: Drained,
    /// Vitrine on empty topics: what a start and an end cost.
    pub idle: Ran,
    pub whole: Ran,
    /// Share of CPU time per stage, from another run; empty without `perf`.
    pub stages: Vec<(&'static str, f64)>,
    pub ids: Vec<Remembered>,
    pub binary_bytes: u64,
}

impl Report {
    pub(crate) fn to_markdown(&self) -> Result<String> {
        let mut out = String::new();
        let Sent {
            records,
            duplicates,
            bytes,
            ..
        } = self.sent;
        let each = bytes as f64 / records as f64;
        writeln!(out, "# First figures, {}\n", self.at)?;
        writeln!(
            out,
            "{records} records of `order.placed` with one line, {each:.0} bytes on average, {duplicates} of them duplicates; seed {}; \
             {CUSTOMERS} customers (cube law), {SKUS} SKUs (square law), 30 days, {PARTITIONS} partitions, bound of disorder \
             {OUT_OF_ORDERNESS}; visits, complaints and prices empty. Broker on the same machine, topic in its page cache.\n",
            self.seed
        )?;
        self.write_machine(&mut out)?;
        self.write_speed(&mut out)?;
        self.write_threads(&mut out)?;
        self.write_ids(&mut out)?;
        Ok(out)
    }

    fn write_machine(&self, out: &mut String) -> Result<()> {
        let cpu = proc_line("/proc/cpuinfo", "model name");
        let memory = proc_line("/proc/meminfo", "MemTotal");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = std::thread::available_parallelism()?;
        let profile = if cfg!(debug_assertions) {
            "dev (our crates `opt-level = 1` with debug assertions, most dependencies unoptimised): **not a figure of speed, a baseline of the \
             ratios**"
        } else {
            "release"
        };
        writeln!(out, "| | |\n|---|---|")?;
        writeln!(
            out,
            "| machine | {cores} cores, {cpu}, memory {memory}, Linux {} |",
            kernel.trim()
        )?;
        writeln!(
            out,
            "| load | {} (1, 5 and 15 minutes, at the end; what goes beyond the cores is somebody else's work and makes the wall \
             times longer, the CPU times hardly) |",
            load.split(' ').take(3).collect::<Vec<_>>().join(" ")
        )?;
        writeln!(
            out,
            "| versions | vitrine {}, librdkafka {}, binary {:.0} MB |",
            env!("CARGO_PKG_VERSION"),
            rdkafka::util::get_rdkafka_version().1,
            self.binary_bytes as f64 / MB
        )?;
        writeln!(out, "| profile | {profile} |\n")?;
        Ok(())
    }

    fn write_speed(&self, out: &mut String) -> Result<()> {
        let records = self.sent.records as f64;
        writeln!(
            out,
            "| | wall s | events/s | CPU s | CPU s per million events | of bare | peak memory MB |\n|---|---:|---:|---:|---:|---:|---:|"
        )?;
        let bare_cpu_s = self.bare.cpu_s;
        let mut row = |what: &str, wall_s: f64, cpu_s: f64, peak_bytes: u64| {
            writeln!(
                out,
                "| {what} | {wall_s:.2} | {:.0} | {cpu_s:.2} | {:.1} | {:.1} × | {:.0} |",
                records / wall_s,
                cpu_s / records * 1e6,
                cpu_s / bare_cpu_s,
                peak_bytes as f64 / MB
            )
        };
        let Drained {
            wall_s,
            cpu_s,
            peak_bytes,
            ..
        } = self.bare;
        row("bare drain, one thread", wall_s, cpu_s, peak_bytes)?;
        let Drained {
            wall_s,
            cpu_s,
            peak_bytes,
            ..
        } = self.decoded;
        row(
            "drain, decode, Arrow columns, one thread",
            wall_s,
            cpu_s,
            peak_bytes,
        )?;
        let used = &self.whole.used;
        row(
            "`vitrine run --until-caught-up`, all metrics, start to exit",
            self.whole.wall_s,
            used.cpu_s,
            used.peak_bytes,
        )?;
        row(
            "the same less a run on empty topics",
            (self.whole.wall_s - self.idle.wall_s).max(f64::MIN_POSITIVE),
            (used.cpu_s - self.idle.used.cpu_s).max(0.0),
            used.peak_bytes,
        )?;
        writeln!(
            out,
            "\nA run on empty topics: {:.2} s, {:.2} CPU s, {:.0} MB. The run left {} rows of `demand_orders` (all revisions) and {} of the demand feed in {} \
             epochs; logs and tables together {:.0} MB, {:.0} bytes an event. Its books were checked: every record read, every \
             duplicate found, no other refused.\n",
            self.idle.wall_s,
            self.idle.used.cpu_s,
            self.idle.used.peak_bytes as f64 / MB,
            self.whole.rows,
            self.whole.feed_rows,
            self.whole.epochs,
            self.whole.stored_bytes as f64 / MB,
            self.whole.stored_bytes as f64 / records
        )?;
        Ok(())
    }

    fn write_threads(&self, out: &mut String) -> Result<()> {
        let used = &self.whole.used;
        writeln!(out, "## Where the time goes\n")?;
        writeln!(
            out,
            "CPU seconds of Vitrine's threads by name, sampled every 50 ms: `shard-N` decode, judge, aggregate and seal; `vitrine` (the \
             main thread) starts up and publishes; `tokio-rt-worker` is what both hand to the runtime (SQL, Parquet, Delta, fsync), \
             with deliveries and housekeeping; `kafka-poll`, `kafka-ends`, `rdk:…` and `producer…` are the way in from and out to \
             Kafka. What threads did after they were last seen stands in a row of its own.\n"
        )?;
        writeln!(out, "| threads | CPU s | share |\n|---|---:|---:|")?;
        for (name, cpu_s) in &used.threads {
            writeln!(
                out,
                "| {name} | {cpu_s:.2} | {:.1} % |",
                cpu_s / used.cpu_s * 100.0
            )?;
        }
        writeln!(out)?;
        if self.stages.is_empty() {
            writeln!(out, "No profile by stage: `perf` is not there.\n")?;
            return Ok(());
        }
        writeln!(
            out,
            "By stage, from stacks that `perf` sampled in another run of the same (99 a second); a sample counts for the innermost \
             function that belongs to a stage, libraries for the stage that calls them.\n"
        )?;
        writeln!(out, "| stage | share |\n|---|---:|")?;
        for (stage, share) in &self.stages {
            writeln!(out, "| {stage} | {:.1} % |", share * 100.0)?;
        }
        writeln!(out)?;
        Ok(())
    }

    fn write_ids(&self, out: &mut String) -> Result<()> {
        writeln!(out, "## Memory of exact deduplication\n")?;
        writeln!(
            out,
            "`KnownIds`: growth of resident memory in a process that does nothing else, 50,000 ids an hour, none forgotten.\n"
        )?;
        writeln!(
            out,
            "| ids | resident MB | bytes an id | ns to remember one |\n|---:|---:|---:|---:|"
        )?;
        for one in &self.ids {
            writeln!(
                out,
                "| {} | {:.1} | {:.1} | {:.0} |",
                one.ids,
                one.resident_bytes as f64 / MB,
                one.bytes_per_id(),
                one.wall_s / one.ids as f64 * 1e9
            )?;
        }
        Ok(())
    }
}

/// What stands behind a name and a colon in a file of /proc.
fn proc_line(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))
        .map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
}
