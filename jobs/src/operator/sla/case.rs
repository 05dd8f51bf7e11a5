//! A service case as read from its history: its dimensions, and the instants at which steps start and stop.

use std::sync::Arc;

use pipeline::history::HistoryEntry;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

/// How long the end of an answered call is awaited before the receipt of the case counts as the end of the contact (K18).
const AWAIT_CALL_END: DurationMs = DurationMs::from_hours(2);

/// What an event reports of its case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CaseEvent {
    Opened {
        kind: Arc<str>,
        category: Option<Arc<str>>,
        unit_id: Option<Arc<str>>,
        received_at: TimestampMs,
        /// A phone call that was taken, so that its end will be reported.
        is_answered_call: bool,
    },
    CallEnded {
        at: TimestampMs,
    },
    Answered {
        at_once: bool,
    },
    DeptNotified {
        has_resolver: bool,
    },
    CustomerInformed {
        of_notice_result: bool,
    },
    ProgressChecked,
    PromiseMade {
        promise_id: Arc<str>,
        is_reply: bool,
    },
    PromiseKept {
        promise_id: Arc<str>,
        is_reply: bool,
        at: TimestampMs,
    },
    CalledBack,
    Withdrawn,
}

/// What steps start and stop at (names as in `sla/steps.toml`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Mark {
    /// The end of the first call, else the receipt.
    ContactEnded,
    /// The department was notified.
    DeptNotified,
    /// The department was notified and named the person who resolves the case.
    ResolverNamed,
    /// The customer was informed of anything.
    CustomerInformed,
    /// The customer was informed of the result of notifying the department.
    NoticeResultTold,
    /// The progress was checked.
    ProgressChecked,
    /// A promise to reply was kept.
    ReplyPromiseKept,
    /// A satisfaction callback reached the customer.
    CalledBack,
}

/// An instant and the event that reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub at: TimestampMs,
    pub event_id: Arc<str>,
}

/// When the contact with the customer ended, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContactEnd {
    At(Moment),
    /// The call may still be going on; from this instant on the receipt counts.
    AwaitedUntil(TimestampMs),
}

/// The input for deciding the steps of a case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub kind: Arc<str>,
    pub category: Option<Arc<str>>,
    pub unit_id: Option<Arc<str>>,
    /// The event that opened it.
    pub opened_by: Arc<str>,
    pub contact_end: ContactEnd,
    /// When the case was first answered at once.
    pub answered_at_once_at: Option<TimestampMs>,
    pub withdrawn: bool,
    marks: Vec<(Mark, Moment)>,
}

impl Case {
    /// Reads a history in order; `None` while no event has opened the case. Of several openings or call ends the first counts.
    pub(super) fn read(history: &[HistoryEntry<CaseEvent>], clock: TimestampMs) -> Option<Self> {
        let mut case = history.iter().find_map(|entry| opened(entry, clock))?;
        if let Some(ended) = history.iter().find_map(call_ended) {
            case.contact_end = ContactEnd::At(ended);
        }
        for entry in history {
            match &entry.event {
                CaseEvent::Answered { at_once: true } => {
                    // The history is in order: the first one counts.
                    let at = entry.stamp.occurred_at;
                    case.answered_at_once_at.get_or_insert(at);
                }
                CaseEvent::Withdrawn => case.withdrawn = true,
                event => {
                    for mark in marks(event, history) {
                        case.set(*mark, moment(entry, counts_at(entry)));
                    }
                }
            }
        }
        Some(case)
    }

    /// The first moment of `mark`; `None` while there is none.
    pub(super) fn first(&self, mark: Mark) -> Option<&Moment> {
        if mark == Mark::ContactEnded {
            return match &self.contact_end {
                ContactEnd::At(moment) => Some(moment),
                ContactEnd::AwaitedUntil(_) => None,
            };
        }
        self.marks
            .iter()
            .find(|(known, _)| *known == mark)
            .map(|(_, moment)| moment)
    }

    /// Keeps the earliest moment; of equal ones the first in the history.
    fn set(&mut self, mark: Mark, moment: Moment) {
        match self.marks.iter_mut().find(|(known, _)| *known == mark) {
            Some((_, first)) if first.at <= moment.at => {}
            Some((_, first)) => *first = moment,
            None => self.marks.push((mark, moment)),
        }
    }
}

fn opened(entry: &HistoryEntry<CaseEvent>, clock: TimestampMs) -> Option<Case> {
    let CaseEvent::Opened {
        kind,
        category,
        unit_id,
        received_at,
        is_answered_call,
    } = &entry.event
    else {
        return None;
    };
    let awaited_until = *received_at + AWAIT_CALL_END;
    let contact_end = if *is_answered_call && clock < awaited_until {
        ContactEnd::AwaitedUntil(awaited_until)
    } else {
        ContactEnd::At(moment(entry, *received_at))
    };
    Some(Case {
        kind: kind.clone(),
        category: category.clone(),
        unit_id: unit_id.clone(),
        opened_by: entry.stamp.event_id.clone(),
        contact_end,
        answered_at_once_at: None,
        withdrawn: false,
        marks: Vec::new(),
    })
}

fn call_ended(entry: &HistoryEntry<CaseEvent>) -> Option<Moment> {
    match entry.event {
        CaseEvent::CallEnded { at } => Some(moment(entry, at)),
        _ => None,
    }
}

fn moment(entry: &HistoryEntry<CaseEvent>, at: TimestampMs) -> Moment {
    Moment {
        at,
        event_id: entry.stamp.event_id.clone(),
    }
}

/// The marks that an event sets.
fn marks(event: &CaseEvent, history: &[HistoryEntry<CaseEvent>]) -> &'static [Mark] {
    match event {
        CaseEvent::DeptNotified { has_resolver: true } => {
            &[Mark::DeptNotified, Mark::ResolverNamed]
        }
        CaseEvent::DeptNotified { .. } => &[Mark::DeptNotified],
        CaseEvent::CustomerInformed {
            of_notice_result: true,
        } => &[Mark::CustomerInformed, Mark::NoticeResultTold],
        CaseEvent::CustomerInformed { .. } => &[Mark::CustomerInformed],
        CaseEvent::ProgressChecked => &[Mark::ProgressChecked],
        CaseEvent::PromiseKept {
            promise_id,
            is_reply,
            ..
        } if *is_reply || promised_reply(promise_id, history) => &[Mark::ReplyPromiseKept],
        CaseEvent::CalledBack => &[Mark::CalledBack],
        _ => &[],
    }
}

/// Whether the promise was made as one to reply; the event that reports it kept need not repeat the kind.
fn promised_reply(promise_id: &Arc<str>, history: &[HistoryEntry<CaseEvent>]) -> bool {
    history.iter().any(|entry| {
        matches!(&entry.event, CaseEvent::PromiseMade { promise_id: made, is_reply: true } if made == promise_id)
    })
}

/// The instant at which an event counts: for a kept promise when it was kept, otherwise when the event occurred.
fn counts_at(entry: &HistoryEntry<CaseEvent>) -> TimestampMs {
    match entry.event {
        CaseEvent::PromiseKept { at, .. } => at,
        _ => entry.stamp.occurred_at,
    }
}
