//! An owner of the log of alerts, and receivers that answer by a script.

use std::collections::VecDeque;

use async_trait::async_trait;
use object_store::memory::InMemory;
use schemas::time::TimestampMs;

use super::super::super::alert_sink::AlertSink;
use super::super::super::outbox::Route;
use super::super::super::schedule::{Schedule, SendResult};
use super::super::*;
use crate::alert::transition_fixture::transition;
use crate::error::Error;
use crate::log::{LogReader, RecordKind};
use crate::time::fixture::{at, ms};

/// A receiver that answers by a script and accepts what comes after it; it remembers the ids.
#[derive(Default)]
pub(super) struct Receiver {
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Away,
    Hang,
    Panic,
}

impl Receiver {
    pub(super) fn new(script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        })
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many attempts have come.
    pub(super) async fn attempts(&self, count: usize) -> Vec<String> {
        for _ in 0..2_000 {
            if self.seen().len() >= count {
                return self.seen();
            }
            wall::sleep(Duration::from_millis(5)).await;
        }
        panic!("only {:?} after ten seconds", self.seen());
    }
}

#[async_trait]
impl AlertSink for Receiver {
    async fn send(&self, transition: &Transition, _wall_time: TimestampMs) -> SendResult {
        self.seen.lock().unwrap().push(transition.id.to_string());
        let answer = self.script.lock().unwrap().pop_front();
        match answer {
            None => SendResult::Accepted { status: Some(200) },
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Panic) => panic!("a mistake in the sink"),
            Some(Answer::Away) => SendResult::Unavailable {
                status: None,
                error: "down".into(),
                retry_after: None,
            },
        }
    }
}

pub(super) fn to(receivers: &[(&str, &Arc<Receiver>)]) -> AlertDestinations {
    let sinks = receivers.iter().map(|(name, receiver)| {
        let sink: Arc<dyn AlertSink> = (*receiver).clone();
        (*name, sink)
    });
    to_sinks(sinks)
}

pub(super) fn to_sinks<'a>(
    sinks: impl IntoIterator<Item = (&'a str, Arc<dyn AlertSink>)>,
) -> AlertDestinations {
    let mut destinations = AlertDestinations::default();
    let schedule = Schedule {
        first: ms(4),
        longest: ms(8),
        ..Schedule::default()
    };
    for (name, sink) in sinks {
        destinations.routes.0.push(Route {
            destination: name.into(),
            rules: Default::default(),
        });
        destinations
            .sinks
            .push((name.into(), schedule.clone(), sink));
    }
    destinations
}

pub(super) struct Owner {
    pub(super) delivery: AlertDelivery,
    pub(super) events: UnboundedReceiver<SinkEvent>,
}

impl Owner {
    pub(super) async fn claim(
        store: &Arc<dyn ObjectStore>,
        destinations: AlertDestinations,
    ) -> Self {
        Self::claim_with(store, destinations, Vec::new())
            .await
            .unwrap()
    }

    pub(super) async fn claim_with(
        store: &Arc<dyn ObjectStore>,
        destinations: AlertDestinations,
        sources: Vec<AlertSource>,
    ) -> Result<Self> {
        let (events, received) = unbounded_channel();
        let delivery = AlertDelivery::claim(store.clone(), "test", destinations, sources, events);
        Ok(Self {
            delivery: delivery.await?,
            events: received,
        })
    }

    /// Ingests record `number` of source 0 with one transition.
    pub(super) fn ingest(&self, number: u64) {
        self.delivery
            .ingest("0", number, vec![transition(number)], at(700_000));
    }

    /// Waits until nothing is outstanding; gives all attempts so far.
    pub(super) async fn settled(&mut self) -> Vec<DeliveryAttempt> {
        for _ in 0..2_000 {
            if self.delivery.outstanding() == 0 {
                return self.attempts();
            }
            wall::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "outstanding={} after ten seconds",
            self.delivery.outstanding()
        );
    }

    pub(super) fn attempts(&mut self) -> Vec<DeliveryAttempt> {
        let mut attempts = Vec::new();
        while let Ok(SinkEvent::Attempted { attempts: more, .. }) = self.events.try_recv() {
            attempts.extend(more);
        }
        attempts
    }

    pub(super) async fn ended(&mut self) -> Error {
        loop {
            match self.events.recv().await {
                Some(SinkEvent::Ended(error)) => return error,
                Some(SinkEvent::Attempted { .. }) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

pub(super) fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// Data records in the log of the delivery.
pub(super) async fn records_of(store: &Arc<dyn ObjectStore>) -> usize {
    let reader = LogReader::new(store.clone(), ALERT_LOG, ALERT_LAYOUT);
    let last = reader.last_number().await.unwrap().unwrap_or(0);
    let mut count = 0;
    for number in 1..=last {
        let entry = reader.read(number).await.unwrap().unwrap();
        count += usize::from(entry.kind == RecordKind::Data);
    }
    count
}
