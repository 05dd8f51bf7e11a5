//! What exact deduplication remembers, in bytes of resident memory an id.

use anyhow::Result;
use pipeline::decode::KnownIds;
use pipeline::time::wall;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::process::own_memory;

/// Ids arrive as fast as one partition of a large retailer's topic may bring them.
const IDS_PER_HOUR: u64 = 50_000;

#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub ids: u64,
    pub resident_bytes: u64,
    pub wall_s: f64,
}

impl Remembered {
    pub(crate) fn bytes_per_id(&self) -> f64 {
        self.resident_bytes as f64 / self.ids as f64
    }
}

/// Remembers `ids` of them; nothing is forgotten. Only in a process that has done nothing else is the difference theirs.
pub(crate) fn remember(ids: u64) -> Result<Remembered> {
    let before = own_memory("VmRSS")?;
    let began = wall::monotonic();
    let mut known = KnownIds::default();
    for number in 0..ids {
        let hour = i64::try_from(number / IDS_PER_HOUR)?;
        known.insert(
            &format!("{number:032x}"),
            TimestampMs::from_ms(0) + hour * DurationMs::HOUR,
            None,
        );
    }
    let wall_s = began.elapsed().as_secs_f64();
    let resident_bytes = own_memory("VmRSS")?.saturating_sub(before);
    anyhow::ensure!(known.len() as u64 == ids, "an id was forgotten");
    Ok(Remembered {
        ids,
        resident_bytes,
        wall_s,
    })
}
