//! The dead-letter circuit breaker: a producer gone wrong must stop the service, not fill a table.

use std::collections::VecDeque;

use schemas::event::Reason;

use crate::error::{Error, ErrorKind, Result};

/// How many records the share is taken over.
const WINDOW: usize = 10_000;

/// Dead letters among the last records of a shard.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCircuit {
    is_dead: VecDeque<bool>,
    dead: usize,
    last_reason: Option<Reason>,
}

impl DeadLetterCircuit {
    /// Counts one record; `reason` is that of a dead letter.
    pub(super) fn count(&mut self, reason: Option<Reason>) {
        if self.is_dead.len() == WINDOW && self.is_dead.pop_front() == Some(true) {
            self.dead -= 1;
        }
        self.is_dead.push_back(reason.is_some());
        self.dead += usize::from(reason.is_some());
        self.last_reason = reason.or(self.last_reason);
    }

    /// Only a full window says something: a few bad records at the start are no bad deploy.
    fn share(&self) -> Option<f64> {
        (self.is_dead.len() == WINDOW).then(|| self.dead as f64 / WINDOW as f64)
    }

    /// Fails where the share of dead letters has reached `stop_ratio`.
    pub(super) fn check(&self, shard: u32, stop_ratio: f64) -> Result<()> {
        let Some(share) = self.share().filter(|&share| share >= stop_ratio) else {
            return Ok(());
        };
        let (share, reason) = (share * 100.0, self.last_reason.map_or("?", Reason::as_str));
        Err(Error::new(
            ErrorKind::DeadLetters,
            format!(
                "{share:.0} % of the last {WINDOW} records of shard={shard} are dead letters, most recently reason={reason}: \
                 stopped before more is passed over; mend the producer, or raise [limits] dead_letter_stop_ratio"
            ),
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_ratio_of_a_full_window_and_not_before() {
        let mut circuit = DeadLetterCircuit::default();
        for _ in 0..WINDOW - 1 {
            circuit.count(Some(Reason::MalformedJson));
        }
        assert!(circuit.check(0, 0.5).is_ok(), "the window is not full");
        circuit.count(None);
        let error = circuit.check(3, 0.5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadLetters);
        assert!(error.to_string().contains("shard=3"), "{error}");
        assert!(error.to_string().contains("malformed_json"), "{error}");
        for _ in 0..WINDOW / 2 {
            circuit.count(None);
        }
        assert!(circuit.check(0, 0.5).is_ok());
    }
}
