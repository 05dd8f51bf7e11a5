//! One case: what it is about, who has it, what is still to come.

use super::course::{self, CaseEventKind};
use super::intake::Intake;
use crate::random::RandomGenerator;

/// A case under way.
pub(crate) struct Case {
    pub(super) case_id: String,
    pub(super) customer: u32,
    pub(super) intake: Intake,
    /// What is still to come, the next step last.
    pub(super) to_come: Vec<(i64, CaseEventKind)>,
}

impl Case {
    /// A case opened at `now`; nobody is told anything before `wakes_at`.
    pub(super) fn open(
        case_id: String,
        customer: u32,
        intake: Intake,
        now: i64,
        wakes_at: Option<i64>,
        random: &mut RandomGenerator,
    ) -> Self {
        let mut to_come = course::draw(&intake, now, wakes_at, random);
        to_come.sort_by_key(|(at, _)| *at);
        to_come.reverse();
        Self {
            case_id,
            customer,
            intake,
            to_come,
        }
    }
}
