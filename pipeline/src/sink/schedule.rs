//! When one destination is sent what: order, retries, expiry. Pure; every instant is given.

use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::alert::Transition;

/// The right to send, as the owner renews it with every record of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendLease {
    /// Sending is allowed up to this wall time (ms): 5 s after the owner has appended to or read the end of its log.
    pub(super) may_send_until_ms: i64,
    /// Live time (files: clock), against which age is measured; ms UTC.
    pub(super) live_ms: i64,
}

/// How a receiver took a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// It has it (2xx; Kafka: all replicas).
    Accepted { status: Option<u16> },
    /// It answered that it will not take this (redirects, most of 4xx).
    Refused { status: Option<u16>, error: String },
    /// It asks never to be called again (410).
    Gone,
    /// It could not be reached or cannot take anything now (time-out, 429, 5xx); perhaps it said for how long.
    Unavailable {
        status: Option<u16>,
        error: String,
        retry_after_ms: Option<i64>,
    },
}

/// How one attempt, or one that was spared, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeliveryOutcome {
    Delivered,
    /// Failed, will be tried again.
    Retry,
    /// The receiver does not want it: given up.
    Refused,
    /// Older than the age limit: recorded, not sent.
    Expired,
}

impl DeliveryOutcome {
    /// Whether nothing further will be tried.
    pub fn is_settled(self) -> bool {
        self != Self::Retry
    }

    /// As in `ops.deliveries`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Retry => "RETRY",
            Self::Refused => "REFUSED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What became of one attempt: sealed by the owner, a row of `ops.deliveries`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    pub id: Arc<str>,
    pub sequence: i64,
    pub dedupe_key: Arc<str>,
    pub destination: Arc<str>,
    /// Of this owner, from 1; a transition that was never tried (too old, hook gone) has the attempt it would have been.
    pub attempt: u32,
    /// Wall time when its end was known, ms.
    pub attempted_at_ms: i64,
    pub outcome: DeliveryOutcome,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Without secrets.
    pub error: Option<String>,
}

/// How failures are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Delay after the first failure, doubled after each further one.
    pub first_ms: i64,
    /// Longest delay of our own.
    pub longest_ms: i64,
    /// Longest `Retry-After` that is honoured.
    pub longest_asked_ms: i64,
    /// A receiver that answers and refuses (3xx, most 4xx) is asked this often, then the next transition has its turn:
    /// one body that it cannot digest must not hold back the others until it expires.
    pub refusals: u32,
    /// Transitions that came about longer ago than this are not sent; `None`: however old.
    pub max_age_ms: Option<i64>,
    /// Spreads the retries of many owners; the same seed gives the same delays.
    pub seed: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first_ms: 1_000,
            longest_ms: 300_000,
            longest_asked_ms: 3_600_000,
            refusals: 8,
            max_age_ms: Some(24 * 3_600_000),
            seed: 0,
        }
    }
}

impl Schedule {
    /// Delay after failure number `attempt` of `id`: between half and the whole of the doubled delay.
    fn delay_ms(&self, destination: &str, id: &str, attempt: u32) -> i64 {
        let doublings = attempt.saturating_sub(1).min(40);
        let whole = self
            .first_ms
            .saturating_mul(1 << doublings)
            .clamp(1, self.longest_ms.max(1));
        let mut hasher = SipHasher13::new_with_keys(self.seed, u64::from(attempt));
        hasher.write(destination.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(id.as_bytes());
        let half = whole / 2;
        let spread = u64::try_from(whole - half).unwrap_or(0) + 1;
        half + i64::try_from(hasher.finish() % spread).unwrap_or(0)
    }
}

/// What a lane's owner is to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DeliveryStep {
    Send(Arc<Transition>),
    /// Nothing before this wall time (ms).
    WaitUntil(i64),
    /// Nothing until a transition or a lease comes.
    Idle,
}

/// The queue of one destination. Only its head is ever tried, so a receiver sees transitions in the order of their seals.
#[derive(Debug)]
pub(super) struct DestinationQueue {
    destination: Arc<str>,
    schedule: Schedule,
    waiting: VecDeque<Arc<Transition>>,
    /// Failures of the head.
    failures: u32,
    refusals: u32,
    not_before_ms: i64,
    /// The receiver said that it is gone for good (410); until the service restarts.
    gone: bool,
}

impl DestinationQueue {
    pub(super) fn new(destination: Arc<str>, schedule: Schedule) -> Self {
        Self {
            destination,
            schedule,
            waiting: VecDeque::new(),
            failures: 0,
            refusals: 0,
            not_before_ms: i64::MIN,
            gone: false,
        }
    }

    pub(super) fn push(&mut self, transition: Arc<Transition>) {
        self.waiting.push_back(transition);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is not sent at all: everything for a receiver that is gone, and what is over the age limit.
    pub(super) fn settle_unsent(&mut self, wall_ms: i64, lease: SendLease) -> Vec<DeliveryAttempt> {
        let oldest_ms = self
            .schedule
            .max_age_ms
            .map_or(i64::MIN, |max_age| lease.live_ms.saturating_sub(max_age));
        let too_old = |transition: &Transition| transition.change.transitioned_at_ms < oldest_ms;
        let head = self.waiting.front().map(|head| head.sequence);
        let gone = self.gone;
        let (unsent, waiting): (VecDeque<_>, _) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|transition| gone || too_old(transition));
        self.waiting = waiting;
        let reports = unsent
            .iter()
            .map(|transition| {
                let (outcome, error) = if gone {
                    (DeliveryOutcome::Refused, "the receiver is gone (410)")
                } else {
                    (DeliveryOutcome::Expired, "older than alerts.max_age")
                };
                let attempt = if Some(transition.sequence) == head {
                    self.failures + 1
                } else {
                    1
                };
                self.report(
                    transition,
                    attempt,
                    wall_ms,
                    outcome,
                    None,
                    Some(error.to_owned()),
                )
            })
            .collect();
        if self.waiting.front().map(|head| head.sequence) != head {
            self.start_afresh();
        }
        reports
    }

    /// What to do at `wall_ms`. Call [`DestinationQueue::settle_unsent`] before.
    pub(super) fn next(&self, wall_ms: i64, lease: SendLease) -> DeliveryStep {
        let Some(head) = self.waiting.front() else {
            return DeliveryStep::Idle;
        };
        if self.not_before_ms > wall_ms {
            return DeliveryStep::WaitUntil(self.not_before_ms);
        }
        if wall_ms > lease.may_send_until_ms {
            return DeliveryStep::Idle;
        }
        DeliveryStep::Send(head.clone())
    }

    /// Applies the answer to the head; `None` where nothing was under way.
    pub(super) fn answered(&mut self, answer: SendResult, wall_ms: i64) -> Option<DeliveryAttempt> {
        let head = self.waiting.front()?.clone();
        let attempt = self.failures + 1;
        let (outcome, status, error, asked_ms) = match answer {
            SendResult::Accepted { status } => (DeliveryOutcome::Delivered, status, None, 0),
            SendResult::Gone => {
                self.gone = true;
                (
                    DeliveryOutcome::Refused,
                    Some(410),
                    Some("the receiver is gone (410)".to_owned()),
                    0,
                )
            }
            SendResult::Refused { status, error } => {
                self.refusals += 1;
                let outcome = if self.refusals >= self.schedule.refusals {
                    DeliveryOutcome::Refused
                } else {
                    DeliveryOutcome::Retry
                };
                (outcome, status, Some(error), 0)
            }
            SendResult::Unavailable {
                status,
                error,
                retry_after_ms,
            } => (
                DeliveryOutcome::Retry,
                status,
                Some(error),
                retry_after_ms
                    .unwrap_or(0)
                    .min(self.schedule.longest_asked_ms),
            ),
        };
        let report = self.report(&head, attempt, wall_ms, outcome, status, error);
        if outcome.is_settled() {
            self.waiting.pop_front();
            self.start_afresh();
        } else {
            self.failures = attempt;
            let own_ms = self.schedule.delay_ms(&self.destination, &head.id, attempt);
            self.not_before_ms = wall_ms.saturating_add(own_ms.max(asked_ms));
        }
        Some(report)
    }

    fn start_afresh(&mut self) {
        self.failures = 0;
        self.refusals = 0;
        self.not_before_ms = i64::MIN;
    }

    fn report(
        &self,
        transition: &Transition,
        attempt: u32,
        wall_ms: i64,
        outcome: DeliveryOutcome,
        status: Option<u16>,
        error: Option<String>,
    ) -> DeliveryAttempt {
        DeliveryAttempt {
            id: transition.id.clone(),
            sequence: transition.sequence,
            dedupe_key: transition.change.dedupe_key.clone(),
            destination: self.destination.clone(),
            attempt,
            attempted_at_ms: wall_ms,
            outcome,
            status,
            error,
        }
    }
}

#[cfg(test)]
mod tests;
