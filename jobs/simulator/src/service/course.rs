//! The course of a case: its steps, and whether they meet their time limits (`DOMAIN.md` 3.5).

use schemas::time::{DurationMs, TimestampMs};

use super::intake::Intake;
use crate::random::RandomGenerator;

/// What can happen to a case (`DOMAIN.md` 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaseEventKind {
    Opened,
    CallEnded,
    AnsweredAtOnce,
    Answered,
    PromiseMade { due_at: TimestampMs },
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

/// Steps with their instants, in any order.
type Steps = Vec<(TimestampMs, CaseEventKind)>;

/// Telephone cases without a recorded end of the call, per mille.
const CALL_END_MISSING: u32 = 50;
/// Cases answered at once, per mille.
const ENQUIRY_AT_ONCE: u32 = 600;
const COMPLAINT_AT_ONCE: u32 = 120;
const WITHDRAWN: u32 = 40;
/// Cases not answered at once and without a promise, per mille.
const UNPROMISED: u32 = 60;
const REOPENED: u32 = 20;
const CAUSE_ANALYSED: u32 = 750;
const NO_RESOLVER: u32 = 60;
/// Closed cases after which the customer is surveyed, per mille.
const SURVEYED: u32 = 300;

/// Delay of a step: in time, late, or never. Share per mille, then least and most minutes.
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
    /// The instant of the step; `None` if it never happens.
    fn after(&self, start: TimestampMs, random: &mut RandomGenerator) -> Option<TimestampMs> {
        let (in_time, late) = (self.in_time, self.late);
        match random.below(1_000) {
            roll if roll < in_time.0 => Some(start + random.minutes(in_time.1, in_time.2)),
            roll if roll < in_time.0 + late.0 => Some(start + random.minutes(late.1, late.2)),
            _ => None,
        }
    }
}

/// The steps of a case opened at `opened_at`, in any order. If `silent_until` is given, nobody is notified before it.
pub(super) fn draw(
    intake: &Intake,
    opened_at: TimestampMs,
    silent_until: Option<TimestampMs>,
    random: &mut RandomGenerator,
) -> Steps {
    let mut steps = vec![(opened_at, CaseEventKind::Opened)];
    if intake.is_abandoned {
        return steps;
    }
    let mut base = opened_at;
    if intake.channel == "PHONE" && (intake.is_planted || !random.permille(CALL_END_MISSING)) {
        base = opened_at + random.minutes(2, 12);
        steps.push((base, CaseEventKind::CallEnded));
    }
    let is_urgent = matches!(intake.kind, "COMPLAINT" | "RESCUE");
    let at_once = if is_urgent {
        COMPLAINT_AT_ONCE
    } else {
        ENQUIRY_AT_ONCE
    };
    if intake.kind == "PRAISE" || (silent_until.is_none() && random.permille(at_once)) {
        steps.push((
            opened_at + DurationMs::from_secs(random.between(40, 110)),
            CaseEventKind::AnsweredAtOnce,
        ));
        finish(&mut steps, base + random.minutes(1, 10), random);
        return steps;
    }
    if !random.permille(UNPROMISED) {
        let due_at = base + DurationMs::from_minutes(30);
        steps.push((
            opened_at + DurationMs::from_secs(random.between(40, 110)),
            CaseEventKind::PromiseMade { due_at },
        ));
    }
    if intake.category == "OTHER_CUSTOMER" {
        steps.push((base + random.minutes(1, 14), CaseEventKind::Escalated));
        steps.push((
            base + random.minutes(30, 600),
            CaseEventKind::EscalationAnswered,
        ));
    }
    let acts_from = silent_until.unwrap_or(base);
    match intake.kind {
        "COMPLAINT" | "RESCUE" => complaint(&mut steps, acts_from, random),
        "REPAIR" => repair(&mut steps, acts_from, random),
        "ENQUIRY" => enquiry(&mut steps, acts_from, random),
        _ => relay(&mut steps, acts_from, random),
    }
    // Without a promise, none is kept.
    if !steps
        .iter()
        .any(|(_, step)| matches!(step, CaseEventKind::PromiseMade { .. }))
    {
        steps.retain(|(_, step)| *step != CaseEventKind::PromiseKept);
    }
    if random.permille(WITHDRAWN) {
        let withdrawn_at = acts_from + random.minutes(12, 300);
        steps.retain(|(at, _)| *at < withdrawn_at);
        steps.push((
            withdrawn_at,
            CaseEventKind::Closed {
                resolution: "WITHDRAWN",
            },
        ));
    }
    steps
}

/// Complaints and rescues: department notified, customer informed, progress checked, called back.
fn complaint(steps: &mut Steps, from: TimestampMs, random: &mut RandomGenerator) {
    let notified_at = DEPT.after(from, random);
    if let Some(at) = notified_at {
        let has_resolver = !random.permille(NO_RESOLVER);
        steps.push((at, CaseEventKind::DeptNotified { has_resolver }));
    }
    let notified_at = notified_at.unwrap_or(from + DurationMs::from_minutes(10));
    if let Some(at) = INFORM.after(notified_at, random) {
        steps.push((
            at,
            CaseEventKind::Informed {
                what: "NOTICE_RESULT",
            },
        ));
    }
    if let Some(at) = PROMISE.after(from, random) {
        steps.push((at, CaseEventKind::PromiseKept));
    }
    if let Some(at) = PROGRESS.after(notified_at, random) {
        steps.push((at, CaseEventKind::ProgressChecked));
    }
    let resolved_at = notified_at + random.minutes(720, 880);
    if random.permille(400) {
        steps.push((
            resolved_at - DurationMs::from_minutes(5),
            CaseEventKind::Informed { what: "FINAL" },
        ));
    }
    steps.push((resolved_at, CaseEventKind::Resolved));
    let mut closed_at = resolved_at + DurationMs::DAY;
    if let Some(at) = CALLBACK.after(from, random) {
        if random.permille(150) {
            steps.push((
                at - DurationMs::from_minutes(4),
                CaseEventKind::CalledBack {
                    ordinal: 1,
                    is_reached: false,
                },
            ));
        }
        steps.push((
            at,
            CaseEventKind::CalledBack {
                ordinal: 1,
                is_reached: true,
            },
        ));
        closed_at = at + random.minutes(10, 120);
    }
    close(steps, closed_at, random);
    if random.permille(CAUSE_ANALYSED) {
        steps.push((
            closed_at + random.minutes(600, 5_000),
            CaseEventKind::CauseAnalysed,
        ));
    }
}

fn repair(steps: &mut Steps, from: TimestampMs, random: &mut RandomGenerator) {
    if let Some(at) = DEPT.after(from, random) {
        steps.push((at, CaseEventKind::DeptNotified { has_resolver: true }));
    }
    let done_at = from + random.minutes(240, 2_500);
    steps.push((done_at, CaseEventKind::RepairCompleted));
    for (ordinal, days) in [(1, 3), (2, 10), (3, 30)] {
        // Due at the end of the day `days` later; one in ten is a day or two late.
        let late = if random.permille(100) {
            random.between(1, 2)
        } else {
            0
        };
        let at = done_at + DurationMs::from_days(days - 1 + late) + random.minutes(0, 600);
        steps.push((
            at,
            CaseEventKind::CalledBack {
                ordinal,
                is_reached: true,
            },
        ));
    }
    finish(steps, done_at + random.minutes(5, 60), random);
}

fn enquiry(steps: &mut Steps, from: TimestampMs, random: &mut RandomGenerator) {
    let Some(transferred_at) = TRANSFER.after(from, random) else {
        return;
    };
    steps.push((transferred_at, CaseEventKind::Transferred));
    let Some(replied_at) = RESOURCE.after(transferred_at, random) else {
        return;
    };
    steps.push((replied_at, CaseEventKind::ResourceReplied));
    if let Some(answered_at) = ANSWER.after(replied_at, random) {
        steps.push((answered_at, CaseEventKind::Answered));
        steps.push((answered_at + DurationMs::SECOND, CaseEventKind::PromiseKept));
        finish(steps, answered_at + random.minutes(1, 30), random);
    }
}

/// Suggestions, changes, ordering faults: passed on, answered.
fn relay(steps: &mut Steps, from: TimestampMs, random: &mut RandomGenerator) {
    steps.push((from + random.minutes(5, 240), CaseEventKind::Relayed));
    let answered_at = from + random.minutes(250, 1_500);
    steps.push((answered_at, CaseEventKind::Answered));
    steps.push((answered_at + DurationMs::SECOND, CaseEventKind::PromiseKept));
    finish(steps, answered_at + random.minutes(5, 60), random);
}

fn finish(steps: &mut Steps, resolved_at: TimestampMs, random: &mut RandomGenerator) {
    steps.push((resolved_at, CaseEventKind::Resolved));
    close(steps, resolved_at + random.minutes(30, 2_000), random);
}

fn close(steps: &mut Steps, closed_at: TimestampMs, random: &mut RandomGenerator) {
    steps.push((
        closed_at,
        CaseEventKind::Closed {
            resolution: "SOLVED",
        },
    ));
    if random.permille(SURVEYED) {
        steps.push((closed_at + DurationMs::HOUR, CaseEventKind::Surveyed));
    }
    if random.permille(REOPENED) {
        steps.push((closed_at + DurationMs::DAY, CaseEventKind::Reopened));
        steps.push((
            closed_at + DurationMs::from_days(2),
            CaseEventKind::Closed {
                resolution: "SOLVED",
            },
        ));
    }
}
