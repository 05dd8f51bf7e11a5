//! K6 for the labels: which records of a dirty run are too late or duplicates.
//!
//! Independent of the engine's implementation, so that tests can compare the two.

use std::collections::HashMap;

use schemas::event::Topic;
use schemas::time::TimestampMs;

/// What one topic partition has accepted so far.
#[derive(Default)]
pub(crate) struct Accepted {
    highest: Option<TimestampMs>,
    /// Accepted ids with their `occurred_at`.
    known: HashMap<EventId, TimestampMs>,
    /// Size of `known` at which forgotten ids are removed next.
    sweep_at: usize,
}

/// The bytes of an event's UUID.
pub(crate) type EventId = [u8; 16];

const FIRST_SWEEP: usize = 4_096;

impl Accepted {
    /// The reason not to accept a well-formed record; without one, the record is accepted and remembered.
    pub(crate) fn judge(
        &mut self,
        topic: Topic,
        id: &EventId,
        occurred_at: TimestampMs,
    ) -> Option<&'static str> {
        let limit = self.highest.map_or(TimestampMs::MIN, |highest| {
            highest - topic.default_out_of_orderness() - topic.default_allowed_lateness()
        });
        if occurred_at < limit {
            return Some("too_late");
        }
        // An id is known exactly while its accepted record is not below the limit, whether or not it was removed from the map.
        if self
            .known
            .get(id)
            .is_some_and(|accepted| *accepted >= limit)
        {
            return Some("duplicate");
        }
        self.known.insert(*id, occurred_at);
        self.highest = self.highest.max(Some(occurred_at));
        if self.known.len() > self.sweep_at.max(FIRST_SWEEP) {
            self.known.retain(|_, accepted| *accepted >= limit);
            self.sweep_at = 2 * self.known.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: i64 = 60_000 + 2 * 86_400_000;

    #[test]
    fn k06_late_is_strictly_below_the_limit_and_only_accepted_records_move_it() {
        let mut orders = Accepted::default();
        let mut judge =
            |id: u8, at| orders.judge(Topic::Orders, &[id; 16], TimestampMs::from_ms(at));
        assert_eq!(judge(1, SPAN), None);
        assert_eq!(judge(2, 0), None, "at the limit");
        assert_eq!(judge(3, -1), Some("too_late"));
        assert_eq!(judge(1, SPAN), Some("duplicate"));
        assert_eq!(
            judge(1, 2 * SPAN),
            Some("duplicate"),
            "does not move the limit"
        );
        assert_eq!(judge(4, 0), None);
    }

    #[test]
    fn k06_a_forgotten_id_is_accepted_again() {
        let mut orders = Accepted::default();
        let mut judge =
            |id: u8, at| orders.judge(Topic::Orders, &[id; 16], TimestampMs::from_ms(at));
        assert_eq!(judge(1, 0), None);
        assert_eq!(judge(2, SPAN), None);
        assert_eq!(judge(1, SPAN), Some("duplicate"), "still at the limit");
        assert_eq!(judge(3, SPAN + 1), None);
        assert_eq!(
            judge(1, 0),
            Some("too_late"),
            "too late comes before duplicate"
        );
        assert_eq!(judge(1, SPAN + 1), None, "forgotten");
    }
}
