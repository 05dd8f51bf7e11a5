//! What an author of an alert rule writes against.

use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

use super::transition::AlertChange;
use crate::error::Result;

/// What a rule looks at, and so where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleInput {
    /// Weighted facts of one operator, in the shard that makes them: rules over one customer or one case.
    Facts { operator: &'static str },
    /// Revisions of a metric's rows in windows of one kind, at the publisher: rates, territories, retailers over weeks.
    Rows {
        metric: &'static str,
        window_kind: &'static str,
    },
}

/// How far time has come where a rule runs. Sealed with what the rule decides, so that a replay decides alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleTime {
    /// Clock of the input's topics.
    pub clock: TimestampMs,
    /// Live time; files have none.
    pub live_time: Option<TimestampMs>,
}

impl RuleTime {
    /// The clock or live time, whichever is further: what timers run on (K22).
    pub fn furthest(self) -> TimestampMs {
        self.live_time
            .map_or(self.clock, |live_time| live_time.max(self.clock))
    }
}

/// One alert rule with its open alerts. Deterministic: the same calls give the same changes. No I/O.
///
/// It keeps state of its own because an alert outlives the batch that raised it (hysteresis, `first_fired_at`, deadlines).
/// After a crash the owner loads what it saved and shows the rule again what holds: known facts must change nothing.
pub trait AlertRule: Send {
    /// As in tables and configuration: `A15`.
    fn rule_id(&self) -> &str;

    /// Rises when the rule's text changes its meaning.
    fn version(&self) -> u32;

    fn input(&self) -> RuleInput;

    /// Ingests what changed: weighted facts (columns of the fact table and `weight`), or revisions of rows (`n` = 0: the row
    /// is gone).
    fn observe(&mut self, batch: &RecordBatch, now: RuleTime) -> Result<Vec<AlertChange>>;

    /// Lets timers fire that `now` has reached. Nothing where none is due.
    fn tick(&mut self, now: RuleTime) -> Vec<AlertChange>;

    /// The earliest instant at which [`AlertRule::tick`] could say something, on the clock or live time.
    fn next_timer(&self) -> Option<TimestampMs>;

    /// Open alerts and timers, for a checkpoint.
    fn save(&self) -> Result<Vec<u8>>;

    /// Restores what [`AlertRule::save`] gave.
    fn load(&mut self, bytes: &[u8]) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::at;

    #[test]
    fn k22_timers_run_on_the_clock_or_live_time_whichever_is_further() {
        let furthest = |clock, live_time| RuleTime { clock, live_time }.furthest();
        assert_eq!(furthest(at(5), Some(at(9))), at(9));
        assert_eq!(furthest(at(9), Some(at(5))), at(9));
        assert_eq!(furthest(at(5), None), at(5));
    }
}
