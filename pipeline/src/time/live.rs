//! Live time: the wall clock, moved back by how old what we read is. A replayed January stays in January.

use std::collections::VecDeque;
use std::time::Instant;

use super::wall;

/// How many records of each input the delay is taken over.
const RECORDS: usize = 1_000;

/// Wall time (anchored at start, then monotonic) − δ, where δ is the smallest (Kafka timestamp − `recorded_at`) over the
/// last 1,000 records of every input.
#[derive(Debug)]
pub struct LiveTime {
    anchor_ms: i64,
    anchor: Instant,
    delays: Vec<VecDeque<i64>>,
    /// δ as it was last sealed, until records say more.
    sealed_ms: Option<i64>,
}

impl LiveTime {
    pub fn new(inputs: usize, sealed_ms: Option<i64>) -> Self {
        Self {
            anchor_ms: wall::now_ms(),
            anchor: wall::monotonic(),
            delays: vec![VecDeque::new(); inputs],
            sealed_ms,
        }
    }

    /// A record of `input` with a broker timestamp.
    pub fn observe(&mut self, input: usize, timestamp_ms: i64, recorded_at_ms: i64) {
        let delays = &mut self.delays[input];
        if delays.len() == RECORDS {
            delays.pop_front();
        }
        delays.push_back(timestamp_ms - recorded_at_ms);
    }

    /// δ in ms; `None` before the first record (files: always).
    pub fn delay_ms(&self) -> Option<i64> {
        self.delays
            .iter()
            .flatten()
            .copied()
            .min()
            .or(self.sealed_ms)
    }

    /// Live time of a monotonic instant, ms UTC.
    pub fn at(&self, instant: Instant) -> Option<i64> {
        let since = instant.saturating_duration_since(self.anchor).as_millis();
        let wall_ms = self.anchor_ms + i64::try_from(since).unwrap_or(i64::MAX / 2);
        self.delay_ms().map(|delay| wall_ms - delay)
    }

    pub fn now_ms(&self) -> Option<i64> {
        self.at(wall::monotonic())
    }
}
