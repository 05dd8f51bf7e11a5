//! What is known of a run: resumed from, written every few seconds.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::target::TargetName;

/// So many findings end a run: what breaks every tenth case needs no hour.
const ENOUGH: usize = 20;

/// Of one target and one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) target: TargetName,
    pub(crate) seed: u64,
    /// Cases are numbered from 0, so that this is also how many have been run.
    pub(crate) next_case: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// On cases alone.
    pub(crate) spent_ms: u64,
    /// Files of findings.
    pub(crate) findings: Vec<PathBuf>,
}

impl State {
    /// The state in a file; a new one if there is no file.
    pub(crate) fn open(path: &Path, target: TargetName, seed: u64) -> Result<Self> {
        let state = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is no state of a run", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Self {
                target,
                seed,
                next_case: 0,
                accepted: 0,
                refused: 0,
                spent_ms: 0,
                findings: Vec::new(),
            },
            Err(error) => {
                return Err(error).with_context(|| format!("reading {}", path.display()));
            }
        };
        ensure!(
            (state.target, state.seed) == (target, seed),
            "{} is the state of target={} seed={}; name another file, or give its target and seed",
            path.display(),
            state.target.as_str(),
            state.seed
        );
        Ok(state)
    }

    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Replaces the file: a kill leaves the old one or the new one.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let staged = path.with_extension("new");
        fs::write(&staged, serde_json::to_string_pretty(self)?)
            .and_then(|()| fs::rename(&staged, path))
            .with_context(|| format!("writing {}", path.display()))
    }

    pub(crate) fn is_done(&self, seconds: u64) -> bool {
        self.spent() >= Duration::from_secs(seconds) || self.findings.len() >= ENOUGH
    }

    pub(crate) fn spent(&self) -> Duration {
        Duration::from_millis(self.spent_ms)
    }

    /// The run in one line.
    pub(crate) fn report(&self) -> String {
        let seconds = self.spent().as_secs_f64();
        format!(
            "{}: cases={} accepted={} refused={} findings={} seed={} seconds={seconds:.0} cases_per_second={:.1}",
            self.target.as_str(),
            self.next_case,
            self.accepted,
            self.refused,
            self.findings.len(),
            self.seed,
            self.next_case as f64 / seconds.max(0.001),
        )
    }
}

/// Where the number of the case that is being tried stands, 8 bytes.
pub(crate) fn case_file(state: &Path) -> PathBuf {
    state.with_extension("case")
}

/// The folder of a state's findings.
pub(crate) fn findings_folder(state: &Path) -> &Path {
    match state.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
