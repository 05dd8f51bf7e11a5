//! When the next record may be sent.

use std::time::Duration;

use schemas::time::TimestampMs;

/// How fast records are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// As fast as brokers accept them.
    Unlimited,
    /// This many per second.
    Rate(f64),
    /// This many times as fast as they were recorded.
    Speed(f64),
}

/// Says when each record of a run is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    pace: Pace,
    sent: u64,
    first_recorded_at: Option<TimestampMs>,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            sent: 0,
            first_recorded_at: None,
        }
    }

    /// How long after the start of the run the next record is due, which was recorded at this instant.
    pub(super) fn due(&mut self, recorded_at: TimestampMs) -> Duration {
        let first = *self.first_recorded_at.get_or_insert(recorded_at);
        let before = self.sent;
        self.sent += 1;
        let seconds = match self.pace {
            Pace::Unlimited => 0.0,
            Pace::Rate(per_second) => before as f64 / per_second,
            Pace::Speed(times) => (recorded_at - first).as_ms() as f64 / 1_000.0 / times,
        };
        if seconds <= 0.0 {
            // recorded before the first one
            return Duration::ZERO;
        }
        // Beyond any duration: so slow a pace never sends it.
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// A positive number, for arguments.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn due(pace: Pace, recorded_ms: &[i64]) -> Vec<u128> {
        let mut pacer = Pacer::new(pace);
        recorded_ms
            .iter()
            .map(|&ms| pacer.due(TimestampMs::from_ms(ms)).as_millis())
            .collect()
    }

    #[test]
    fn a_rate_counts_records_and_a_speed_follows_event_time() {
        let recorded = [5_000, 5_000, 8_000];
        assert_eq!(due(Pace::Unlimited, &recorded), [0, 0, 0]);
        assert_eq!(due(Pace::Rate(4.0), &recorded), [0, 250, 500]);
        assert_eq!(due(Pace::Speed(2.0), &recorded), [0, 0, 1_500]);
        assert_eq!(due(Pace::Speed(1.0), &[5_000, 4_000]), [0, 0]);
    }

    #[test]
    fn a_pace_beyond_any_duration_waits_instead_of_sending_at_once() {
        let due = due(Pace::Rate(f64::MIN_POSITIVE), &[0, 0]);
        assert_eq!(due, [0, Duration::MAX.as_millis()]);
    }

    #[test]
    fn only_positive_numbers_are_a_pace() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
