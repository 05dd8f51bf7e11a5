//! Trying again: how long to wait between tries, and when to give up.
//!
//! [`Backoff`] is pure. [`retry`] is the only loop that waits and tries again what the engine does by itself, and the
//! only place that reports such a try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::wall;
use crate::error::Result;
use crate::observe::TryFailed;

/// Pauses that double up to a longest one, and two ways to give up: after some time, after some tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first try.
    pub first: Duration,
    pub longest: Duration,
    /// No try begins once this much time has passed since the first one began. The last pause may end after it.
    pub limit: Duration,
    /// The number of tries, the first one included; `None`: only time limits it.
    pub tries: Option<usize>,
}

impl Backoff {
    /// For writing what an epoch stages: six tries in 0.6 s.
    pub(crate) const STAGING: Self = Self {
        tries: Some(6),
        ..Self::doubling_from(Duration::from_millis(20))
    };

    /// From `first` to 5 s, and never gives up.
    pub const fn doubling_from(first: Duration) -> Self {
        Self {
            first,
            longest: Duration::from_secs(5),
            limit: Duration::MAX,
            tries: None,
        }
    }

    /// The pauses of one series of tries.
    pub fn pauses(self) -> Pauses {
        let mut builder = ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .without_max_times();
        if let Some(tries) = self.tries {
            builder = builder.with_max_times(tries.saturating_sub(1));
        }
        Pauses {
            // Not `with_total_delay`: it adds up pauses, and tries take time, too.
            limit: self.limit,
            pauses: builder.build(),
        }
    }
}

/// What is left of a [`Backoff`].
#[derive(Debug)]
pub struct Pauses {
    limit: Duration,
    pauses: ExponentialBackoff,
}

impl Pauses {
    /// How long to wait after a failed try, `elapsed` after the first try began. `None`: give up.
    pub fn after(&mut self, elapsed: Duration) -> Option<Duration> {
        if elapsed >= self.limit {
            return None;
        }
        self.pauses.next()
    }
}

/// Does `operation` until it succeeds, its error says that another try is of no use, or `backoff` gives up.
///
/// `what` is for the log: what is being tried, for example `staging a file`. The error is that of the last try.
pub async fn retry<T, F>(
    backoff: Backoff,
    what: &str,
    // Not `AsyncFnMut`: the compiler does not see yet that its futures may be sent to other threads.
    mut operation: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let began = wall::monotonic();
    let mut pauses = backoff.pauses();
    loop {
        let error = match operation().await {
            Err(error) if error.is_retryable() => error,
            outcome => return outcome,
        };
        let Some(pause) = pauses.after(began.elapsed()) else {
            return Err(error);
        };
        TryFailed {
            what,
            error: &error,
            pause,
        }
        .report();
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            wall::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;
    use crate::error::{Error, ErrorKind};

    const FROM_20_MS: Backoff = Backoff::doubling_from(Duration::from_millis(20));

    /// The first pauses in milliseconds, as if tries took no time.
    fn pauses_ms(backoff: Backoff, at_most: usize) -> Vec<u128> {
        let mut pauses = backoff.pauses();
        let mut elapsed = Duration::ZERO;
        std::iter::from_fn(|| {
            let pause = pauses.after(elapsed)?;
            elapsed += pause;
            // The crate doubles in floating point: 39.999999 ms are 40.
            Some((pause.as_micros() + 1) / 1_000)
        })
        .take(at_most)
        .collect()
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(
            pauses_ms(FROM_20_MS, 11),
            [20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_000, 5_000, 5_000]
        );
    }

    #[test]
    fn time_or_the_number_of_tries_ends_it() {
        for (limit, tries, pauses) in [
            (Duration::MAX, Some(6), 5),
            (Duration::MAX, Some(1), 0),
            (Duration::MAX, Some(0), 0),
            (Duration::ZERO, None, 0),
            (Duration::from_millis(59), None, 2),
            (Duration::from_secs(10), None, 9),
            (Duration::from_millis(59), Some(6), 2),
            (Duration::from_secs(10), Some(6), 5),
        ] {
            let backoff = Backoff {
                limit,
                tries,
                ..FROM_20_MS
            };
            assert_eq!(pauses_ms(backoff, 99).len(), pauses, "{backoff:?}");
        }
        let mut pauses = FROM_20_MS.pauses();
        assert!(pauses.after(Duration::from_secs(86_400)).is_some());
    }

    /// Fails with `kind` `failures` times, then succeeds; returns the outcome and the number of tries.
    async fn tried(backoff: Backoff, kind: ErrorKind, failures: usize) -> (Result<()>, usize) {
        let mut tries = 0;
        let outcome = retry(backoff, "testing", || {
            tries += 1;
            ready(if tries > failures {
                Ok(())
            } else {
                Err(Error::new(kind, format!("try={tries}")))
            })
        })
        .await;
        (outcome, tries)
    }

    #[tokio::test]
    async fn only_what_may_pass_is_tried_again() {
        let five = Backoff {
            tries: Some(5),
            ..Backoff::doubling_from(Duration::ZERO)
        };
        for (kind, failures, succeeds, tries) in [
            (ErrorKind::Unavailable, 0, true, 1),
            (ErrorKind::Unavailable, 4, true, 5),
            (ErrorKind::Unavailable, 5, false, 5),
            (ErrorKind::Damaged, 1, false, 1),
        ] {
            let (outcome, tried) = tried(five, kind, failures).await;
            assert_eq!(
                (outcome.is_ok(), tried),
                (succeeds, tries),
                "{kind:?} {failures}"
            );
            if let Err(error) = outcome {
                assert_eq!(error.kind(), kind);
                assert_eq!(error.to_string(), format!("try={tries}"), "the last one");
            }
        }
    }

    #[tokio::test]
    async fn a_series_waits_its_pauses_out() {
        let backoff = Backoff {
            limit: Duration::from_millis(25),
            ..Backoff::doubling_from(Duration::from_millis(10))
        };
        let began = wall::monotonic();
        let (outcome, tries) = tried(backoff, ErrorKind::Unavailable, usize::MAX).await;
        assert!(outcome.is_err());
        assert!(began.elapsed() >= backoff.limit, "{:?}", began.elapsed());
        assert!((2..=3).contains(&tries), "{tries}");
    }
}
