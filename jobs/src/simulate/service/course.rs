//! How cases go: which steps come, and whether they meet their limits (`domain.md` 3.5).

use super::intake::Intake;
use crate::simulate::days::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::simulate::dice::Dice;

/// What can happen to a case (`domain.md` 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Opened,
    CallEnded,
    AnsweredAtOnce,
    Answered,
    PromiseMade { due_at: i64 },
    PromiseKept,
    Relayed,
    Transferred,
    ResourceReplied,
    DeptNotified { has_resolver: bool },
    Informed { what: &'static str },
    ProgressChecked,
    Escalated,
    EscalationAnswered,
    RepairCompleted,
    Resolved,
    CalledBack { ordinal: u8, is_reached: bool },
    Surveyed,
    Closed { resolution: &'static str },
    Reopened,
    CauseAnalysed,
}

/// Telephone cases whose end of call is not recorded, per mille.
const CALL_END_MISSING: u32 = 50;
/// Cases settled in the first contact, per mille.
const ENQUIRY_AT_ONCE: u32 = 600;
const COMPLAINT_AT_ONCE: u32 = 120;
const WITHDRAWN: u32 = 40;
/// Not answered at once and no time for the answer stated, per mille.
const UNPROMISED: u32 = 60;
const REOPENED: u32 = 20;
const CAUSE_ANALYSED: u32 = 750;
const NO_RESOLVER: u32 = 60;
/// Resolved cases after which the customer is asked, per mille.
const SURVEYED: u32 = 300;

/// A step's wait in minutes: in time, late, or never, with the shares per mille of the first two.
struct Wait {
    in_time: (u32, i64, i64),
    late: (u32, i64, i64),
}

const DEPT: Wait = Wait {
    in_time: (900, 1, 9),
    late: (70, 11, 50),
};
const INFORM: Wait = Wait {
    in_time: (880, 3, 18),
    late: (90, 22, 90),
};
const PROMISE: Wait = Wait {
    in_time: (880, 8, 28),
    late: (80, 32, 90),
};
const PROGRESS: Wait = Wait {
    in_time: (900, 195, 690),
    late: (60, 740, 1_200),
};
const CALLBACK: Wait = Wait {
    in_time: (880, 900, 1_420),
    late: (80, 1_460, 2_400),
};
const TRANSFER: Wait = Wait {
    in_time: (920, 3, 28),
    late: (60, 33, 120),
};
const RESOURCE: Wait = Wait {
    in_time: (900, 20, 170),
    late: (80, 190, 600),
};
const ANSWER: Wait = Wait {
    in_time: (930, 5, 900),
    late: (50, 1_300, 2_000),
};

impl Wait {
    /// The instant, or none if the step is forgotten.
    fn after(&self, start: i64, dice: &mut Dice) -> Option<i64> {
        let (in_time, late) = (self.in_time, self.late);
        match dice.below(1_000) {
            roll if roll < in_time.0 => Some(start + dice.minutes(in_time.1, in_time.2)),
            roll if roll < in_time.0 + late.0 => Some(start + dice.minutes(late.1, late.2)),
            _ => None,
        }
    }
}

/// The steps of a case opened at `opened_at`, in any order. `wakes_at`: nobody is told anything before that.
pub(super) fn draw(
    intake: &Intake,
    opened_at: i64,
    wakes_at: Option<i64>,
    dice: &mut Dice,
) -> Vec<(i64, Step)> {
    let mut steps = vec![(opened_at, Step::Opened)];
    if intake.is_abandoned {
        return steps;
    }
    let mut base = opened_at;
    if intake.channel == "PHONE" && (intake.is_planted || !dice.permille(CALL_END_MISSING)) {
        base = opened_at + dice.minutes(2, 12);
        steps.push((base, Step::CallEnded));
    }
    let has_chain = matches!(intake.kind, "COMPLAINT" | "RESCUE");
    let at_once = if has_chain {
        COMPLAINT_AT_ONCE
    } else {
        ENQUIRY_AT_ONCE
    };
    if intake.kind == "PRAISE" || (wakes_at.is_none() && dice.permille(at_once)) {
        steps.push((
            opened_at + dice.between(40, 110) * SECOND_MS,
            Step::AnsweredAtOnce,
        ));
        finish(&mut steps, base + dice.minutes(1, 10), dice);
        return steps;
    }
    if !dice.permille(UNPROMISED) {
        let due_at = base + 30 * MINUTE_MS;
        steps.push((
            opened_at + dice.between(40, 110) * SECOND_MS,
            Step::PromiseMade { due_at },
        ));
    }
    if intake.category == "OTHER_CUSTOMER" {
        steps.push((base + dice.minutes(1, 14), Step::Escalated));
        steps.push((base + dice.minutes(30, 600), Step::EscalationAnswered));
    }
    let acts_from = wakes_at.unwrap_or(base);
    match intake.kind {
        "COMPLAINT" | "RESCUE" => chain(&mut steps, acts_from, dice),
        "REPAIR" => repair(&mut steps, acts_from, dice),
        "ENQUIRY" => enquiry(&mut steps, acts_from, dice),
        _ => relay(&mut steps, acts_from, dice),
    }
    // What was not promised cannot be kept.
    if !steps
        .iter()
        .any(|(_, step)| matches!(step, Step::PromiseMade { .. }))
    {
        steps.retain(|(_, step)| *step != Step::PromiseKept);
    }
    if dice.permille(WITHDRAWN) {
        let withdrawn_at = acts_from + dice.minutes(12, 300);
        steps.retain(|(at, _)| *at < withdrawn_at);
        steps.push((
            withdrawn_at,
            Step::Closed {
                resolution: "WITHDRAWN",
            },
        ));
    }
    steps
}

/// Complaints and rescues: department told, customer informed, progress checked, called back.
fn chain(steps: &mut Vec<(i64, Step)>, from: i64, dice: &mut Dice) {
    let told_at = DEPT.after(from, dice);
    if let Some(at) = told_at {
        let has_resolver = !dice.permille(NO_RESOLVER);
        steps.push((at, Step::DeptNotified { has_resolver }));
    }
    let told_at = told_at.unwrap_or(from + 10 * MINUTE_MS);
    if let Some(at) = INFORM.after(told_at, dice) {
        steps.push((
            at,
            Step::Informed {
                what: "NOTICE_RESULT",
            },
        ));
    }
    if let Some(at) = PROMISE.after(from, dice) {
        steps.push((at, Step::PromiseKept));
    }
    if let Some(at) = PROGRESS.after(told_at, dice) {
        steps.push((at, Step::ProgressChecked));
    }
    let resolved_at = told_at + dice.minutes(720, 880);
    if dice.permille(400) {
        steps.push((
            resolved_at - 5 * MINUTE_MS,
            Step::Informed { what: "FINAL" },
        ));
    }
    steps.push((resolved_at, Step::Resolved));
    let mut closed_at = resolved_at + DAY_MS;
    if let Some(at) = CALLBACK.after(from, dice) {
        if dice.permille(150) {
            steps.push((
                at - 4 * MINUTE_MS,
                Step::CalledBack {
                    ordinal: 1,
                    is_reached: false,
                },
            ));
        }
        steps.push((
            at,
            Step::CalledBack {
                ordinal: 1,
                is_reached: true,
            },
        ));
        closed_at = at + dice.minutes(10, 120);
    }
    close(steps, closed_at, dice);
    if dice.permille(CAUSE_ANALYSED) {
        steps.push((closed_at + dice.minutes(600, 5_000), Step::CauseAnalysed));
    }
}

fn repair(steps: &mut Vec<(i64, Step)>, from: i64, dice: &mut Dice) {
    if let Some(at) = DEPT.after(from, dice) {
        steps.push((at, Step::DeptNotified { has_resolver: true }));
    }
    let done_at = from + dice.minutes(240, 2_500);
    steps.push((done_at, Step::RepairCompleted));
    for (ordinal, days) in [(1, 3), (2, 10), (3, 30)] {
        // Due at the end of the day so many days later; one in ten is a day or two late.
        let late = if dice.permille(100) {
            dice.between(1, 2)
        } else {
            0
        };
        let at = done_at + (days - 1 + late) * DAY_MS + dice.minutes(0, 600);
        steps.push((
            at,
            Step::CalledBack {
                ordinal,
                is_reached: true,
            },
        ));
    }
    finish(steps, done_at + dice.minutes(5, 60), dice);
}

fn enquiry(steps: &mut Vec<(i64, Step)>, from: i64, dice: &mut Dice) {
    let Some(transferred_at) = TRANSFER.after(from, dice) else {
        return;
    };
    steps.push((transferred_at, Step::Transferred));
    let Some(replied_at) = RESOURCE.after(transferred_at, dice) else {
        return;
    };
    steps.push((replied_at, Step::ResourceReplied));
    if let Some(answered_at) = ANSWER.after(replied_at, dice) {
        steps.push((answered_at, Step::Answered));
        steps.push((answered_at + SECOND_MS, Step::PromiseKept));
        finish(steps, answered_at + dice.minutes(1, 30), dice);
    }
}

/// Suggestions, changes, ordering faults: passed on, answered.
fn relay(steps: &mut Vec<(i64, Step)>, from: i64, dice: &mut Dice) {
    steps.push((from + dice.minutes(5, 240), Step::Relayed));
    let answered_at = from + dice.minutes(250, 1_500);
    steps.push((answered_at, Step::Answered));
    steps.push((answered_at + SECOND_MS, Step::PromiseKept));
    finish(steps, answered_at + dice.minutes(5, 60), dice);
}

fn finish(steps: &mut Vec<(i64, Step)>, resolved_at: i64, dice: &mut Dice) {
    steps.push((resolved_at, Step::Resolved));
    close(steps, resolved_at + dice.minutes(30, 2_000), dice);
}

fn close(steps: &mut Vec<(i64, Step)>, closed_at: i64, dice: &mut Dice) {
    steps.push((
        closed_at,
        Step::Closed {
            resolution: "SOLVED",
        },
    ));
    if dice.permille(SURVEYED) {
        steps.push((closed_at + HOUR_MS, Step::Surveyed));
    }
    if dice.permille(REOPENED) {
        steps.push((closed_at + DAY_MS, Step::Reopened));
        steps.push((
            closed_at + 2 * DAY_MS,
            Step::Closed {
                resolution: "SOLVED",
            },
        ));
    }
}
