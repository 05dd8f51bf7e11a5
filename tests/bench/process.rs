//! What the kernel knows of a process (`proc(5)`): CPU time, peak memory, and which threads used it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Ticks of `/proc/*/stat` a second: USER_HZ, 100 on every platform Vitrine runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// `/proc/<id>/stat` as far as it is used here.
struct Stat {
    name: String,
    state: char,
    cpu_s: f64,
}

fn stat(path: &Path) -> Result<Stat> {
    let text = fs::read_to_string(path)?;
    // The name stands in parentheses and may hold anything, further parentheses too.
    let (head, tail) = text.rsplit_once(") ").context("no name in stat")?;
    let (_, name) = head.split_once('(').context("no name in stat")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    // proc(5) counts from 1 and the state is field 3: utime 14, stime 15
    let ticks = |field: usize| -> Result<f64> {
        Ok(fields.get(field - 3).context("stat is short")?.parse()?)
    };
    Ok(Stat {
        name: name.to_owned(),
        state: tail.chars().next().unwrap_or('?'),
        cpu_s: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
    })
}

/// User and system time of this process so far, in seconds; it advances in ticks of 10 ms.
pub(crate) fn own_cpu_s() -> Result<f64> {
    Ok(stat(Path::new("/proc/self/stat"))?.cpu_s)
}

/// A line of `/proc/self/status` that counts kB, in bytes: `VmHWM` the peak, `VmRSS` what is resident now.
pub(crate) fn own_memory(line: &str) -> Result<u64> {
    memory(Path::new("/proc/self/status"), line)
}

fn memory(status: &Path, line: &str) -> Result<u64> {
    let text = fs::read_to_string(status)?;
    let kib = text
        .lines()
        .find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("no {line} in {}", status.display()))?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// Watches a process until it ends.
pub(crate) struct Watch {
    id: u32,
    cpu_s: f64,
    peak_bytes: u64,
    /// Name and CPU seconds of each thread when it was last seen.
    threads: BTreeMap<String, (String, f64)>,
}

/// What a process used from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub cpu_s: f64,
    pub peak_bytes: u64,
    /// CPU seconds per group of threads, most first; a group's names differ in their number only.
    pub threads: Vec<(String, f64)>,
}

impl Watch {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            cpu_s: 0.0,
            peak_bytes: 0,
            threads: BTreeMap::new(),
        }
    }

    /// Looks once; says whether the process has ended. Call before it is waited for: the kernel keeps the sum for its parent.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        let folder = Path::new("/proc").join(self.id.to_string());
        let all = stat(&folder.join("stat"))?;
        self.cpu_s = all.cpu_s;
        if all.state == 'Z' {
            return Ok(true);
        }
        if let Ok(peak) = memory(&folder.join("status"), "VmHWM") {
            self.peak_bytes = self.peak_bytes.max(peak);
        }
        // Threads come and go while they are listed.
        let Ok(tasks) = fs::read_dir(folder.join("task")) else {
            return Ok(false);
        };
        for task in tasks.flatten() {
            if let Ok(thread) = stat(&task.path().join("stat")) {
                let id = task.file_name().to_string_lossy().into_owned();
                self.threads.insert(id, (thread.name, thread.cpu_s));
            }
        }
        Ok(false)
    }

    pub(crate) fn used(self) -> Used {
        let mut groups: BTreeMap<String, f64> = BTreeMap::new();
        for (name, cpu_s) in self.threads.into_values() {
            *groups.entry(group(&name)).or_default() += cpu_s;
        }
        let seen: f64 = groups.values().sum();
        groups.insert("(since last seen)".to_owned(), (self.cpu_s - seen).max(0.0));
        let mut threads: Vec<_> = groups.into_iter().filter(|(_, s)| *s > 0.0).collect();
        threads.sort_by(|a, b| b.1.total_cmp(&a.1));
        Used {
            cpu_s: self.cpu_s,
            peak_bytes: self.peak_bytes,
            threads,
        }
    }
}

/// `shard-3` and `shard-0` are `shard-N`.
fn group(name: &str) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        name.to_owned()
    } else {
        format!("{stem}N")
    }
}
