//! What is sent now: a lane for each source and destination, so that a slow receiver holds up nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use schemas::time::TimestampMs;

use super::alert_sink::{AlertSink, report_attempt};
use super::outbox::Dispatch;
use super::schedule::{
    DeliveryAttempt, DeliveryStep, DestinationQueue, Schedule, SendLease, SendResult,
};
use crate::time::wall;

/// Source and destination.
pub(super) type LaneKey = (Arc<str>, Arc<str>);

/// The sinks, what waits for them and what is under way.
pub(super) struct AlertLanes {
    sinks: BTreeMap<Arc<str>, (Schedule, Arc<dyn AlertSink>)>,
    lanes: BTreeMap<LaneKey, Lane>,
    under_way: FuturesUnordered<BoxFuture<'static, (LaneKey, SendResult)>>,
    live_time: TimestampMs,
}

struct Lane {
    queue: DestinationQueue,
    sink: Arc<dyn AlertSink>,
    /// Its head is under way: the queue must keep it until the answer comes.
    is_sending: bool,
    /// Something may have become too old, or is queued for a receiver that is gone.
    is_unchecked: bool,
}

impl AlertLanes {
    pub(super) fn new(sinks: Vec<(Arc<str>, Schedule, Arc<dyn AlertSink>)>) -> Self {
        let sinks = sinks.into_iter();
        Self {
            sinks: sinks
                .map(|(destination, schedule, sink)| (destination, (schedule, sink)))
                .collect(),
            lanes: BTreeMap::new(),
            under_way: FuturesUnordered::new(),
            live_time: TimestampMs::MIN,
        }
    }

    /// Queues a transition. One for a destination without a sink stays in the outbox until the configuration has changed.
    pub(super) fn push(&mut self, source: &Arc<str>, dispatch: Dispatch) {
        let destination = dispatch.destination;
        let Some((schedule, sink)) = self.sinks.get(&destination) else {
            return;
        };
        let key = (source.clone(), destination.clone());
        let lane = self.lanes.entry(key).or_insert_with(|| Lane {
            queue: DestinationQueue::new(destination, schedule.clone()),
            sink: sink.clone(),
            is_sending: false,
            is_unchecked: true,
        });
        lane.queue.push(dispatch.transition);
        lane.is_unchecked = true;
    }

    /// Measures ages against `live_time` from now on, if that is later. To be called before a record's transitions are queued:
    /// what it decided long after the fact would leave as if it were new.
    pub(super) fn reach(&mut self, live_time: TimestampMs) {
        if live_time > self.live_time {
            self.live_time = live_time;
            for lane in self.lanes.values_mut() {
                lane.is_unchecked = true;
            }
        }
    }

    /// Starts what is due at `now` and says when the next retry is; what is settled without being sent goes to `attempts`.
    /// `wall_time` is what the attempts say.
    pub(super) fn start_due(
        &mut self,
        now: Instant,
        wall_time: TimestampMs,
        may_send: bool,
        attempts: &mut Vec<(LaneKey, DeliveryAttempt)>,
    ) -> Option<Instant> {
        let lease = SendLease {
            may_send,
            live_time: self.live_time,
        };
        let mut next: Option<Instant> = None;
        for (key, lane) in &mut self.lanes {
            if lane.is_sending {
                continue;
            }
            if std::mem::take(&mut lane.is_unchecked) {
                for attempt in lane.queue.settle_unsent(wall_time, lease) {
                    report_attempt(&attempt);
                    attempts.push((key.clone(), attempt));
                }
            }
            match lane.queue.next(now, lease) {
                DeliveryStep::Idle => {}
                DeliveryStep::WaitUntil(until) => {
                    next = Some(next.map_or(until, |next| next.min(until)));
                }
                DeliveryStep::Send(transition) => {
                    lane.is_sending = true;
                    let (key, sink) = (key.clone(), lane.sink.clone());
                    let send = async move { (key, sink.send(&transition, wall_time).await) };
                    self.under_way.push(send.boxed());
                }
            }
        }
        next
    }

    /// Waits for the next answer; `None` where nothing is under way. Dropping the future loses nothing.
    pub(super) async fn answer(&mut self) -> Option<(LaneKey, DeliveryAttempt)> {
        loop {
            let (key, answer) = self.under_way.next().await?;
            let lane = self.lanes.get_mut(&key)?;
            lane.is_sending = false;
            lane.is_unchecked |= answer == SendResult::Gone;
            // A pause begins when the answer is in, or a time-out would be repeated at once.
            let answered = lane.queue.answered(answer, wall::monotonic(), wall::now());
            if let Some(attempt) = answered {
                report_attempt(&attempt);
                return Some((key, attempt));
            }
        }
    }

    /// Whether something waits to be sent or answered.
    pub(super) fn is_waiting(&self) -> bool {
        self.lanes.values().any(|lane| !lane.queue.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::super::schedule::DeliveryOutcome;
    use super::*;
    use crate::alert::Transition;
    use crate::alert::transition_fixture::transition;
    use crate::time::fixture::at;

    /// Gives its answers in turn and knows what it was sent.
    struct Receiver {
        answers: Mutex<Vec<SendResult>>,
        seen: Mutex<Vec<i64>>,
    }

    #[async_trait]
    impl AlertSink for Receiver {
        async fn send(&self, transition: &Transition, _wall_time: TimestampMs) -> SendResult {
            self.seen.lock().unwrap().push(transition.sequence / 65_536);
            self.answers.lock().unwrap().remove(0)
        }
    }

    /// Lanes with transitions of source 0 at one destination.
    fn lanes(answers: Vec<SendResult>, numbers: &[u64]) -> (AlertLanes, Arc<Receiver>) {
        let receiver = Arc::new(Receiver {
            answers: Mutex::new(answers),
            seen: Mutex::default(),
        });
        let sink: Arc<dyn AlertSink> = receiver.clone();
        let mut lanes = AlertLanes::new(vec![("desk".into(), Schedule::default(), sink)]);
        for &number in numbers {
            lanes.push(&"0".into(), dispatch("desk", number));
        }
        (lanes, receiver)
    }

    fn dispatch(destination: &str, number: u64) -> Dispatch {
        Dispatch {
            destination: destination.into(),
            transition: Arc::new(transition(number)),
        }
    }

    fn accepted() -> SendResult {
        SendResult::Accepted { status: None }
    }

    /// What was settled without being sent.
    fn start(lanes: &mut AlertLanes, may_send: bool) -> Vec<(i64, DeliveryOutcome)> {
        let mut attempts = Vec::new();
        lanes.start_due(wall::monotonic(), at(1_000), may_send, &mut attempts);
        let settled = attempts.iter();
        settled
            .map(|(_, attempt)| (attempt.sequence / 65_536, attempt.outcome))
            .collect()
    }

    #[tokio::test]
    async fn nothing_leaves_without_the_lease() {
        let (mut lanes, receiver) = lanes(vec![accepted()], &[1]);
        assert_eq!(start(&mut lanes, false), []);
        assert!(lanes.answer().await.is_none() && lanes.is_waiting());
        start(&mut lanes, true);
        let (key, attempt) = lanes.answer().await.unwrap();
        assert_eq!((&*key.0, &*key.1), ("0", "desk"));
        assert_eq!(attempt.outcome, DeliveryOutcome::Delivered);
        assert_eq!(*receiver.seen.lock().unwrap(), [1]);
        assert!(!lanes.is_waiting());
    }

    #[tokio::test]
    async fn what_is_under_way_does_not_expire_but_what_is_behind_it_does() {
        let (mut lanes, receiver) = lanes(vec![accepted()], &[1, 2]);
        start(&mut lanes, true);
        lanes.reach(at(i64::MAX));
        assert_eq!(start(&mut lanes, true), []);
        let (_, attempt) = lanes.answer().await.unwrap();
        let outcome = (attempt.sequence / 65_536, attempt.outcome);
        assert_eq!(outcome, (1, DeliveryOutcome::Delivered));
        let expired = (2, DeliveryOutcome::Expired);
        assert_eq!(start(&mut lanes, true), [expired]);
        // A time before the latest changes nothing.
        lanes.reach(at(0));
        lanes.push(&"0".into(), dispatch("desk", 3));
        assert_eq!(start(&mut lanes, true), [(3, DeliveryOutcome::Expired)]);
        assert_eq!(*receiver.seen.lock().unwrap(), [1]);
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_gets_nothing_more() {
        let (mut lanes, receiver) = lanes(vec![SendResult::Gone], &[1, 2]);
        start(&mut lanes, true);
        lanes.answer().await.unwrap();
        assert_eq!(start(&mut lanes, true), [(2, DeliveryOutcome::Refused)]);
        assert_eq!(*receiver.seen.lock().unwrap(), [1]);
        lanes.push(&"0".into(), dispatch("nobody", 3));
        assert!(!lanes.is_waiting());
    }
}
