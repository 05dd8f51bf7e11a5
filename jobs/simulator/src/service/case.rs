//! One service case: its intake and its future steps.

use schemas::time::TimestampMs;

use super::course::{self, CaseEventKind};
use super::intake::Intake;
use crate::random::RandomGenerator;

/// An open case.
pub(crate) struct SimulatedCase {
    pub(super) case_id: String,
    pub(super) customer: u32,
    pub(super) intake: Intake,
    /// The next step last.
    pub(super) remaining_steps: Vec<(TimestampMs, CaseEventKind)>,
}

impl SimulatedCase {
    /// A case opened at `now`. If `silent_until` is given, nobody is notified before it.
    pub(super) fn open(
        case_id: String,
        customer: u32,
        intake: Intake,
        now: TimestampMs,
        silent_until: Option<TimestampMs>,
        random: &mut RandomGenerator,
    ) -> Self {
        let mut remaining_steps = course::draw(&intake, now, silent_until, random);
        remaining_steps.sort_by_key(|(at, _)| *at);
        remaining_steps.reverse();
        Self {
            case_id,
            customer,
            intake,
            remaining_steps,
        }
    }
}
