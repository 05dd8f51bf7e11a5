//! How old something is that bears a time of the wall clock, where that clock may have been set meanwhile.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use schemas::time::{DurationMs, TimestampMs};

use crate::time::wall;

/// Two clocks that differ by less show the same: rounding, and time that is made up for slowly.
const SAME: DurationMs = DurationMs::MINUTE;

/// Remembers what the wall clock has shown. By an age, what is deleted must be that old by the monotonic clock too as far as this
/// process knows: a clock that is set ahead makes nothing old for as long as the age.
#[derive(Debug)]
pub(super) struct AgeClock {
    /// What was shown when, in order.
    shown: VecDeque<(Instant, TimestampMs)>,
    /// The longest age that is asked for.
    longest: Duration,
}

impl AgeClock {
    /// Looks at the wall clock for the first time.
    pub(super) fn new(longest: Duration) -> Self {
        let mut clock = Self {
            shown: VecDeque::new(),
            longest,
        };
        clock.look();
        clock
    }

    /// Looks at the wall clock. Instants are those of the last look.
    pub(super) fn look(&mut self) {
        self.note(wall::monotonic(), wall::now());
    }

    fn note(&mut self, now: Instant, shown: TimestampMs) {
        // of those that are older than any age the newest still counts
        while let Some((second, _)) = self.shown.get(1)
            && now.saturating_duration_since(*second) > self.longest
        {
            self.shown.pop_front();
        }
        self.shown.push_back((now, shown));
    }

    /// What was done then or before is `age` old.
    pub(super) fn before(&self, age: Duration) -> TimestampMs {
        *self.now(age).start() - DurationMs::from_std(age)
    }

    /// Between which instants now lies, by all that the wall clock has shown within `age`.
    pub(super) fn now(&self, age: Duration) -> RangeInclusive<TimestampMs> {
        let Some((now, latest)) = self.shown.back().copied() else {
            return TimestampMs::MIN..=TimestampMs::MIN;
        };
        let mut earliest = latest;
        for (then, shown) in self.shown.iter().rev() {
            let since = now.saturating_duration_since(*then);
            earliest = earliest.min(*shown + DurationMs::from_std(since));
            if since > age {
                break;
            }
        }
        if latest - earliest < SAME {
            earliest = latest;
        }
        earliest..=latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::{at, ms};

    const HOUR: Duration = Duration::from_secs(3_600);
    const MINUTE: i64 = 60_000;

    /// Looks every ten minutes at a clock that shows these minutes.
    fn looked(minutes: &[i64]) -> AgeClock {
        let began = wall::monotonic();
        let mut clock = AgeClock {
            shown: VecDeque::new(),
            longest: HOUR,
        };
        for (number, shown) in (0..).zip(minutes) {
            clock.note(
                began + Duration::from_secs(600) * number,
                at(shown * MINUTE),
            );
        }
        clock
    }

    #[test]
    fn f17_a_clock_that_is_set_ahead_makes_nothing_old() {
        let jump = 6_000_000;
        let mut shown = vec![0, 10, 20];
        for number in 3..=9 {
            shown.push(jump + number * 10);
            let now = shown.len() as i64 * 10 - 10;
            let clock = looked(&shown);
            assert_eq!(clock.before(HOUR), at(now * MINUTE) - ms(60 * MINUTE));
            assert_eq!(*clock.now(HOUR).end(), at((jump + now) * MINUTE));
        }
        // An hour later whatever was done before the jump is an hour old.
        shown.push(jump + 100);
        let clock = looked(&shown);
        assert_eq!(clock.before(HOUR), at((jump + 40) * MINUTE));
        // A shorter age is believed sooner.
        let clock = looked(&[0, 10, jump + 20, jump + 30]);
        let age = Duration::from_secs(300);
        assert_eq!(clock.before(age), at((jump + 25) * MINUTE));
    }

    #[test]
    fn f17_a_clock_that_is_set_back_makes_nothing_old() {
        let clock = looked(&[600, 610, 20]);
        assert_eq!(clock.before(HOUR), at(-40 * MINUTE));
        assert_eq!(clock.now(HOUR), at(20 * MINUTE)..=at(20 * MINUTE));
    }

    #[test]
    fn a_clock_that_nobody_sets_is_believed_to_the_millisecond() {
        let mut clock = looked(&[0, 10]);
        let (now, shown) = clock.shown[1];
        clock.note(now + Duration::from_secs(600), shown + ms(600_007));
        assert_eq!(clock.before(Duration::ZERO), at(20 * MINUTE + 7));
        assert_eq!(clock.now(HOUR), at(20 * MINUTE + 7)..=at(20 * MINUTE + 7));
        for number in 0..100 {
            clock.note(now + HOUR * number, shown);
        }
        assert_eq!(clock.shown.len(), 3, "what no age reaches is forgotten");
    }
}
