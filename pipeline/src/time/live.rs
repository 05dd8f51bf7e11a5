//! Live time: the wall clock, moved back by how old what we read is. A replayed January stays in January.

use std::collections::VecDeque;
use std::time::Instant;

use schemas::time::{DurationMs, TimestampMs};

use super::{AnchoredClock, wall};

/// How many records of each input the delay is taken over.
const RECORDS: usize = 1_000;

/// Wall time (anchored at start, then monotonic) − δ, where δ is the smallest (Kafka timestamp − `recorded_at`) over the
/// last 1,000 records of every input, but never below 0: a source whose clock is ahead does not put live time ahead of the wall.
#[derive(Debug)]
pub struct LiveTime {
    clock: AnchoredClock,
    delays: Vec<VecDeque<DurationMs>>,
    /// δ as it was last sealed: counts until every input has had as many records again.
    sealed: Option<DurationMs>,
}

impl LiveTime {
    pub fn new(inputs: usize, sealed: Option<DurationMs>) -> Self {
        Self {
            clock: AnchoredClock::new(),
            delays: vec![VecDeque::new(); inputs],
            sealed,
        }
    }

    /// One more input, behind those there are.
    pub fn add_input(&mut self) {
        self.delays.push(VecDeque::new());
    }

    /// A record of `input` with a broker timestamp.
    pub fn observe(&mut self, input: usize, timestamp: TimestampMs, recorded_at: TimestampMs) {
        let delays = &mut self.delays[input];
        if delays.len() == RECORDS {
            delays.pop_front();
        }
        delays.push_back(timestamp - recorded_at);
    }

    /// δ; `None` before the first record (files: always).
    pub fn delay(&self) -> Option<DurationMs> {
        let observed = self.delays.iter().flatten().copied();
        let is_renewed = self.delays.iter().all(|delays| delays.len() == RECORDS);
        let sealed = self.sealed.filter(|_| !is_renewed);
        observed
            .chain(sealed)
            .min()
            .map(|delay| delay.max(DurationMs::ZERO))
    }

    /// Live time of a monotonic instant.
    pub fn at(&self, instant: Instant) -> Option<TimestampMs> {
        self.delay().map(|delay| self.clock.at(instant) - delay)
    }

    pub fn now(&self) -> Option<TimestampMs> {
        self.at(wall::monotonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::{at, ms};

    #[test]
    fn the_shortest_way_of_any_record_is_the_delay() {
        let mut live = LiveTime::new(2, None);
        assert_eq!((live.delay(), live.now()), (None, None));
        live.observe(0, at(9_000), at(1_000));
        live.observe(1, at(9_000), at(8_000));
        live.observe(0, at(9_000), at(5_000));
        assert_eq!(live.delay(), Some(ms(1_000)));
        // it leaves with the last of a thousand after it
        for _ in 0..RECORDS {
            live.observe(1, at(9_000), at(2_000));
        }
        assert_eq!(live.delay(), Some(ms(4_000)));
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_move_time_ahead_of_the_wall() {
        let mut live = LiveTime::new(1, None);
        live.observe(0, at(9_000), at(999_999_000));
        assert_eq!(live.delay(), Some(ms(0)));
    }

    #[test]
    fn a_restart_and_one_record_that_was_long_under_way_do_not_move_time_back() {
        let mut live = LiveTime::new(2, Some(ms(50)));
        live.observe(0, at(9_000_000), at(0));
        assert_eq!(live.delay(), Some(ms(50)));
        for input in [0, 1] {
            for _ in 0..RECORDS {
                live.observe(input, at(9_000), at(2_000));
            }
        }
        assert_eq!(live.delay(), Some(ms(7_000)), "all of that is long ago");
    }
}
