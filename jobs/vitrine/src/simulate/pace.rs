//! When the next record may be sent.

use std::time::Duration;

use schemas::time::TimestampMs;

/// How fast records are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as brokers take them.
    Unlimited,
    /// So many a second.
    Rate(f64),
    /// So many times as fast as they were recorded.
    Speed(f64),
}

/// Remembers where a run began.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    pace: Pace,
    sent: u64,
    first_recorded_at: Option<TimestampMs>,
}

impl Pacer {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            sent: 0,
            first_recorded_at: None,
        }
    }

    /// How long after the beginning of the run the next record, recorded at this instant, is due.
    pub fn due(&mut self, recorded_at: TimestampMs) -> Duration {
        let first = *self.first_recorded_at.get_or_insert(recorded_at);
        let before = self.sent;
        self.sent += 1;
        let seconds = match self.pace {
            Pace::Unlimited => 0.0,
            Pace::Rate(per_second) => before as f64 / per_second,
            Pace::Speed(times) => (recorded_at - first).as_ms() as f64 / 1_000.0 / times,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }
}

/// A positive number, for arguments.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn due(pace: Pace, recorded_at_ms: &[i64]) -> Vec<u128> {
        let mut pacer = Pacer::new(pace);
        recorded_at_ms
            .iter()
            .map(|&ms| pacer.due(TimestampMs::from_ms(ms)).as_millis())
            .collect()
    }

    #[test]
    fn a_rate_counts_and_a_speed_follows_the_events_time() {
        let recorded = [5_000, 5_000, 8_000];
        assert_eq!(due(Pace::Unlimited, &recorded), [0, 0, 0]);
        assert_eq!(due(Pace::Rate(4.0), &recorded), [0, 250, 500]);
        assert_eq!(due(Pace::Speed(2.0), &recorded), [0, 0, 1_500]);
    }

    #[test]
    fn only_positive_numbers_are_a_pace() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
