//! When to report trouble that lasts.

use std::time::{Duration, Instant};

/// A time in which something does not answer: reported when it begins and every 30 s, and once more when it is over.
///
/// Where failures and successes alternate, as of a cluster in which one broker is away, an outage that begins within 30 s of
/// the last report is not reported until they have passed.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Option<Instant>,
    reported: Option<Instant>,
}

impl Outage {
    const REPORT_EVERY: Duration = Duration::from_secs(30);

    /// Notes a failure; returns how long the outage has lasted, if it is to be reported now.
    pub(crate) fn note_failure(&mut self, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let is_quiet = |reported| now.duration_since(reported) < Self::REPORT_EVERY;
        if self.reported.is_some_and(is_quiet) {
            return None;
        }
        self.reported = Some(now);
        Some(now.duration_since(since))
    }

    /// Notes a success; returns how long the outage lasted that ends with it, if it was reported.
    pub(crate) fn note_success(&mut self, now: Instant) -> Option<Duration> {
        let since = self.since.take()?;
        let was_reported = self.reported.is_some_and(|reported| reported >= since);
        was_reported.then(|| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::wall;

    const fn lasted(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn an_outage_is_reported_when_it_begins_every_thirty_seconds_and_when_it_is_over() {
        let start = wall::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert_eq!(outage.note_success(at(0)), None);
        assert_eq!(outage.note_failure(at(1)), lasted(0));
        assert_eq!(outage.note_failure(at(2)), None);
        assert_eq!(outage.note_failure(at(30)), None);
        assert_eq!(outage.note_failure(at(31)), lasted(30));
        assert_eq!(outage.note_success(at(40)), lasted(39));
        assert_eq!(outage.note_success(at(41)), None);
        assert_eq!(outage.note_failure(at(61)), lasted(0));
    }

    #[test]
    fn alternating_failures_and_successes_are_one_report_in_thirty_seconds() {
        let start = wall::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert_eq!(outage.note_failure(at(0)), lasted(0));
        assert_eq!(outage.note_success(at(1)), lasted(1));
        for second in [2, 4, 28] {
            assert_eq!(outage.note_failure(at(second)), None, "{second}");
            assert_eq!(outage.note_success(at(second + 1)), None, "{second}");
        }
        // One that outlasts the silence is reported with its whole length.
        assert_eq!(outage.note_failure(at(29)), None);
        assert_eq!(outage.note_failure(at(32)), lasted(3));
        assert_eq!(outage.note_success(at(33)), lasted(4));
    }
}
