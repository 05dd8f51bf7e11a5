//! A wall clock that nobody sets.

use std::time::Instant;

use schemas::time::{DurationMs, TimestampMs};

use super::wall;

/// The wall clock as it was when this was made, carried on by the monotonic clock: setting the wall clock does not move it.
#[derive(Debug, Clone, Copy)]
pub struct AnchoredClock {
    made: Instant,
    shown: TimestampMs,
}

impl AnchoredClock {
    /// Shows what the wall clock shows now.
    pub fn new() -> Self {
        Self::of(wall::monotonic(), wall::now())
    }

    fn of(made: Instant, shown: TimestampMs) -> Self {
        Self { made, shown }
    }

    /// What it shows at an instant; before it was made, what it showed then.
    pub fn at(&self, instant: Instant) -> TimestampMs {
        self.shown + DurationMs::from_std(instant.saturating_duration_since(self.made))
    }

    pub fn now(&self) -> TimestampMs {
        self.at(wall::monotonic())
    }
}

impl Default for AnchoredClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::fixture::at;

    #[test]
    fn f17_it_goes_on_with_the_monotonic_clock_alone() {
        let made = wall::monotonic();
        for shown in [0, 1_000, 2_147_483_648_000] {
            let clock = AnchoredClock::of(made, at(shown));
            let hour = Duration::from_secs(3_600);
            assert_eq!(clock.at(made), at(shown));
            assert_eq!(clock.at(made + hour), at(shown + 3_600_000));
            assert_eq!(clock.at(made.checked_sub(hour).unwrap()), at(shown));
        }
    }
}
