//! When one destination is sent what: order, retries, expiry. Pure; every instant is given.

use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Arc;

use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::alert::Transition;

/// The right to send, as the owner renews it with every record of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendLease {
    /// Sending is allowed up to this wall time: 5 s after the owner has appended to or read the end of its log.
    pub(super) may_send_until: TimestampMs,
    /// Live time (files: clock), against which age is measured.
    pub(super) live_time: TimestampMs,
}

/// How a receiver took a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// It has it (2xx; Kafka: all replicas).
    Accepted { status: Option<u16> },
    /// It answered that it will not take this (redirects, most of 4xx).
    Refused { status: Option<u16>, error: String },
    /// It will never take this, however often it is asked: too large, or there is no body to send.
    Undeliverable { error: String },
    /// It asks never to be called again (410).
    Gone,
    /// It could not be reached or cannot take anything now (time-out, 429, 5xx); perhaps it said for how long.
    Unavailable {
        status: Option<u16>,
        error: String,
        retry_after: Option<DurationMs>,
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

/// What the names of topics begin with in `ops.deliveries`; no other destination may be named so.
pub const TOPIC_DESTINATION: &str = "topic ";

/// The name of a topic as a destination.
pub fn topic_destination(topic: &str) -> Arc<str> {
    [TOPIC_DESTINATION, topic].concat().into()
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
    /// Wall time when its end was known.
    pub attempted_at: TimestampMs,
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
    pub first: DurationMs,
    /// Longest delay of our own.
    pub longest: DurationMs,
    /// Longest `Retry-After` that is honoured.
    pub longest_asked: DurationMs,
    /// A receiver that answers and refuses (3xx, most 4xx) is asked this often, then the next transition has its turn:
    /// one body that it cannot digest must not hold back the others until it expires.
    pub refusals: u32,
    /// Transitions that came about longer ago than this are not sent; `None`: however old.
    pub max_age: Option<DurationMs>,
    /// Spreads the retries of many owners; the same seed gives the same delays.
    pub seed: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first: DurationMs::SECOND,
            longest: DurationMs::from_minutes(5),
            longest_asked: DurationMs::HOUR,
            refusals: 8,
            max_age: Some(DurationMs::DAY),
            seed: 0,
        }
    }
}

impl Schedule {
    /// Delay after failure number `attempt` of `id`: between half and the whole of the doubled delay.
    fn delay(&self, destination: &str, id: &str, attempt: u32) -> DurationMs {
        let doublings = attempt.saturating_sub(1).min(40);
        let longest = self.longest.max(DurationMs::from_ms(1));
        let whole = (self.first * (1 << doublings)).clamp(DurationMs::from_ms(1), longest);
        let mut hasher = SipHasher13::new_with_keys(self.seed, u64::from(attempt));
        hasher.write(destination.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(id.as_bytes());
        let half = DurationMs::from_ms(whole.as_ms() / 2);
        let spread = (whole - half).as_ms().unsigned_abs() + 1;
        half + DurationMs::from_ms((hasher.finish() % spread).cast_signed())
    }
}

/// What a lane's owner is to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DeliveryStep {
    Send(Arc<Transition>),
    /// Nothing before this wall time.
    WaitUntil(TimestampMs),
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
    not_before: TimestampMs,
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
            not_before: TimestampMs::MIN,
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
    pub(super) fn settle_unsent(
        &mut self,
        wall_time: TimestampMs,
        lease: SendLease,
    ) -> Vec<DeliveryAttempt> {
        let oldest = self
            .schedule
            .max_age
            .map_or(TimestampMs::MIN, |max_age| lease.live_time - max_age);
        let too_old = |transition: &Transition| transition.change.transitioned_at < oldest;
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
                    wall_time,
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

    /// What to do at `wall_time`. Call [`DestinationQueue::settle_unsent`] before.
    pub(super) fn next(&self, wall_time: TimestampMs, lease: SendLease) -> DeliveryStep {
        let Some(head) = self.waiting.front() else {
            return DeliveryStep::Idle;
        };
        if self.not_before > wall_time {
            return DeliveryStep::WaitUntil(self.not_before);
        }
        if wall_time > lease.may_send_until {
            return DeliveryStep::Idle;
        }
        DeliveryStep::Send(head.clone())
    }

    /// Applies the answer to the head; `None` where nothing was under way.
    pub(super) fn answered(
        &mut self,
        answer: SendResult,
        wall_time: TimestampMs,
    ) -> Option<DeliveryAttempt> {
        let head = self.waiting.front()?.clone();
        let attempt = self.failures + 1;
        let (outcome, status, error, asked) = match answer {
            SendResult::Accepted { status } => {
                (DeliveryOutcome::Delivered, status, None, DurationMs::ZERO)
            }
            SendResult::Gone => {
                self.gone = true;
                (
                    DeliveryOutcome::Refused,
                    Some(410),
                    Some("the receiver is gone (410)".to_owned()),
                    DurationMs::ZERO,
                )
            }
            SendResult::Undeliverable { error } => (
                DeliveryOutcome::Refused,
                None,
                Some(error),
                DurationMs::ZERO,
            ),
            SendResult::Refused { status, error } => {
                self.refusals += 1;
                let outcome = if self.refusals >= self.schedule.refusals {
                    DeliveryOutcome::Refused
                } else {
                    DeliveryOutcome::Retry
                };
                (outcome, status, Some(error), DurationMs::ZERO)
            }
            SendResult::Unavailable {
                status,
                error,
                retry_after,
            } => (
                DeliveryOutcome::Retry,
                status,
                Some(error),
                retry_after
                    .unwrap_or_default()
                    .min(self.schedule.longest_asked),
            ),
        };
        let report = self.report(&head, attempt, wall_time, outcome, status, error);
        if outcome.is_settled() {
            self.waiting.pop_front();
            self.start_afresh();
        } else {
            self.failures = attempt;
            let own = self.schedule.delay(&self.destination, &head.id, attempt);
            self.not_before = wall_time + own.max(asked);
        }
        Some(report)
    }

    fn start_afresh(&mut self) {
        self.failures = 0;
        self.refusals = 0;
        self.not_before = TimestampMs::MIN;
    }

    fn report(
        &self,
        transition: &Transition,
        attempt: u32,
        wall_time: TimestampMs,
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
            attempted_at: wall_time,
            outcome,
            status,
            error,
        }
    }
}

#[cfg(test)]
mod tests;
