//! Live time: the wall clock, moved back by how old what we read is. A replayed January stays in January.

use std::collections::VecDeque;
use std::time::Instant;

use super::wall;

/// How many records of each input the delay is taken over.
const RECORDS: usize = 1_000;

/// Wall time (anchored at start, then monotonic) − δ, where δ is the smallest (Kafka timestamp − `recorded_at`) over the
/// last 1,000 records of every input, but never below 0: a source whose clock is ahead does not put live time ahead of the wall.
#[derive(Debug)]
pub struct LiveTime {
    anchor_ms: i64,
    anchor: Instant,
    delays: Vec<VecDeque<i64>>,
    /// δ as it was last sealed: counts until every input has had as many records again.
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
        delays.push_back(timestamp_ms.saturating_sub(recorded_at_ms));
    }

    /// δ in ms; `None` before the first record (files: always).
    pub fn delay_ms(&self) -> Option<i64> {
        let observed = self.delays.iter().flatten().copied();
        let is_renewed = self.delays.iter().all(|delays| delays.len() == RECORDS);
        let sealed = self.sealed_ms.filter(|_| !is_renewed);
        observed.chain(sealed).min().map(|delay| delay.max(0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_of_any_record_is_the_delay() {
        let mut live = LiveTime::new(2, None);
        assert_eq!((live.delay_ms(), live.now_ms()), (None, None));
        live.observe(0, 9_000, 1_000);
        live.observe(1, 9_000, 8_000);
        live.observe(0, 9_000, 5_000);
        assert_eq!(live.delay_ms(), Some(1_000));
        // it leaves with the last of a thousand after it
        for _ in 0..RECORDS {
            live.observe(1, 9_000, 2_000);
        }
        assert_eq!(live.delay_ms(), Some(4_000));
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_move_time_ahead_of_the_wall() {
        let mut live = LiveTime::new(1, None);
        live.observe(0, 9_000, 999_999_000);
        assert_eq!(live.delay_ms(), Some(0));
    }

    #[test]
    fn a_restart_and_one_record_that_was_long_under_way_do_not_move_time_back() {
        let mut live = LiveTime::new(2, Some(50));
        live.observe(0, 9_000_000, 0);
        assert_eq!(live.delay_ms(), Some(50));
        for input in [0, 1] {
            for _ in 0..RECORDS {
                live.observe(input, 9_000, 2_000);
            }
        }
        assert_eq!(live.delay_ms(), Some(7_000), "all of that is long ago");
    }
}
