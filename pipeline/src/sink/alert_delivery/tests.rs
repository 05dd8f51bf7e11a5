#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::memory::InMemory;
use schemas::time::TimestampMs;

use super::super::alert_sink::AlertSink;
use super::super::alert_source::SourceTransitions;
use super::super::outbox::Route;
use super::super::schedule::{DeliveryOutcome, Schedule, SendResult};
use super::super::webhook::Webhook;
use super::super::webhook::tests::{SECRET, serve, settings};
use super::*;
use crate::alert::transition_fixture::{change, transition};
use crate::alert::{AlertChange, seal};
use crate::error::{Error, ErrorKind};
use crate::log::{Log, LogReader, RecordKind};
use crate::time::fixture::{at, ms};

/// A receiver that answers by a script and accepts what comes after it; it remembers the ids.
#[derive(Default)]
struct Receiver {
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Away,
    Hang,
    Panic,
}

impl Receiver {
    fn new(script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many attempts have come.
    async fn attempts(&self, count: usize) -> Vec<String> {
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

fn to(receivers: &[(&str, &Arc<Receiver>)]) -> AlertDestinations {
    let sinks = receivers.iter().map(|(name, receiver)| {
        let sink: Arc<dyn AlertSink> = (*receiver).clone();
        (*name, sink)
    });
    to_sinks(sinks)
}

fn to_sinks<'a>(
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

struct Owner {
    delivery: AlertDelivery,
    events: UnboundedReceiver<SinkEvent>,
}

impl Owner {
    async fn claim(store: &Arc<dyn ObjectStore>, destinations: AlertDestinations) -> Self {
        Self::claim_with(store, destinations, Vec::new())
            .await
            .unwrap()
    }

    async fn claim_with(
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
    fn ingest(&self, number: u64) {
        self.delivery
            .ingest("0", number, vec![transition(number)], at(700_000));
    }

    /// Waits until nothing is outstanding; gives all attempts so far.
    async fn settled(&mut self) -> Vec<DeliveryAttempt> {
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

    fn attempts(&mut self) -> Vec<DeliveryAttempt> {
        let mut attempts = Vec::new();
        while let Ok(SinkEvent::Attempted { attempts: more, .. }) = self.events.try_recv() {
            attempts.extend(more);
        }
        attempts
    }

    async fn ended(&mut self) -> Error {
        loop {
            match self.events.recv().await {
                Some(SinkEvent::Ended(error)) => return error,
                Some(SinkEvent::Attempted { .. }) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// Data records in the log of the delivery.
async fn records_of(store: &Arc<dyn ObjectStore>) -> usize {
    let reader = LogReader::new(store.clone(), ALERT_LOG, ALERT_LAYOUT);
    let last = reader.last_number().await.unwrap().unwrap_or(0);
    let mut count = 0;
    for number in 1..=last {
        let entry = reader.read(number).await.unwrap().unwrap();
        count += usize::from(entry.kind == RecordKind::Data);
    }
    count
}

#[tokio::test]
async fn transitions_leave_in_order_and_attempts_are_reported() {
    let store = in_memory();
    let (desk, topic) = (
        Receiver::new([Answer::Away, Answer::Away]),
        Receiver::new([]),
    );
    let mut owner = Owner::claim(&store, to(&[("desk", &desk), ("topic", &topic)])).await;
    owner.ingest(1);
    owner.ingest(2);
    owner.ingest(2);
    assert_eq!(owner.delivery.outstanding(), 4);
    let attempts = owner.settled().await;
    let at_desk = attempts
        .iter()
        .filter(|attempt| &*attempt.destination == "desk");
    let found: Vec<_> = at_desk
        .map(|attempt| (&*attempt.id, attempt.attempt, attempt.outcome))
        .collect();
    let expected = [
        ("A15-0-1-0", 1, DeliveryOutcome::Retry),
        ("A15-0-1-0", 2, DeliveryOutcome::Retry),
        ("A15-0-1-0", 3, DeliveryOutcome::Delivered),
        ("A15-0-2-0", 1, DeliveryOutcome::Delivered),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        desk.seen(),
        ["A15-0-1-0", "A15-0-1-0", "A15-0-1-0", "A15-0-2-0"]
    );
    assert_eq!(topic.seen(), ["A15-0-1-0", "A15-0-2-0"]);
    owner.delivery.close().await.unwrap();
    assert!(
        owner.events.recv().await.is_none(),
        "an asked end is not reported"
    );
}

#[tokio::test]
async fn a_real_receiver_gets_the_same_event_again_after_a_failure() {
    let (url, requests) = serve(vec![
        "HTTP/1.1 503 Busy\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]);
    let (settings, _dir) = settings(&url, SECRET);
    let webhook: Arc<dyn AlertSink> = Arc::new(Webhook::open(&settings, true, "test").unwrap());
    let mut owner = Owner::claim(&in_memory(), to_sinks([("desk", webhook)])).await;
    owner.ingest(1);
    let attempts = owner.settled().await;
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)]);
    let (first, second) = (requests.recv().unwrap(), requests.recv().unwrap());
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
}

#[tokio::test]
async fn what_hangs_holds_up_nobody_else() {
    let store = in_memory();
    let (slow, desk) = (Receiver::new([Answer::Hang]), Receiver::new([]));
    let owner = Owner::claim(&store, to(&[("slow", &slow), ("desk", &desk)])).await;
    owner.ingest(1);
    owner.ingest(2);
    desk.attempts(2).await;
    assert_eq!(slow.seen(), ["A15-0-1-0"]);
    while owner.delivery.outstanding() > 2 {
        tokio::task::yield_now().await;
    }
    // Another source does not wait for the head of this one.
    owner
        .delivery
        .ingest("1", 1, seal("1", 1, &mut vec![change("x")]), at(700_000));
    assert_eq!(slow.attempts(2).await, ["A15-0-1-0", "A15-1-1-0"]);
}

#[tokio::test]
async fn what_was_under_way_is_sent_again_under_the_same_id() {
    let store = in_memory();
    let (desk, gone) = (Receiver::new([]), Receiver::new([Answer::Hang]));
    let owner = Owner::claim(&store, to(&[("desk", &desk), ("hook", &gone)])).await;
    owner.ingest(1);
    gone.attempts(1).await;
    while owner.delivery.outstanding() > 1 {
        tokio::task::yield_now().await;
    }
    // Another key, eleven minutes later, so that the first is not recent.
    let later = seal("0", 2, &mut vec![change("other")]);
    owner
        .delivery
        .ingest("0", 2, later, at(700_000 + 11 * 60_000));
    desk.attempts(2).await;
    owner.delivery.close().await.unwrap();

    let (desk, hook) = (Receiver::new([]), Receiver::new([]));
    let mut owner = Owner::claim(&store, to(&[("desk", &desk), ("hook", &hook)])).await;
    assert_eq!(owner.delivery.outstanding(), 3);
    owner.settled().await;
    assert_eq!(hook.seen(), ["A15-0-1-0", "A15-0-2-0"]);
    assert_eq!(desk.seen(), ["A15-0-2-0"], "recent, though acknowledged");
    // What was known before changes nothing.
    owner.ingest(1);
    owner.ingest(2);
    assert_eq!(owner.delivery.outstanding(), 0);
}

/// Draining decides deadlines of weeks in one record, and what came before knows nothing of those weeks.
#[tokio::test]
async fn an_alert_is_as_old_as_its_record_says() {
    let store = in_memory();
    let desk = Receiver::new([]);
    let mut owner = Owner::claim(&store, to(&[("desk", &desk)])).await;
    let day_and_more = 700_000 + 25 * 3_600_000;
    owner
        .delivery
        .ingest("0", 1, vec![transition(1)], at(day_and_more));
    let attempts = owner.settled().await;
    assert_eq!(attempts[0].outcome, DeliveryOutcome::Expired);
    assert_eq!(desk.seen(), [""; 0]);
    // A restart knows how late it is.
    owner.delivery.close().await.unwrap();
    let mut owner = Owner::claim(&store, to(&[("desk", &desk)])).await;
    assert_eq!(owner.settled().await[0].outcome, DeliveryOutcome::Expired);
}

#[tokio::test]
async fn an_idle_service_writes_nothing_and_a_busy_one_a_record_a_second() {
    let store = in_memory();
    let desk = Receiver::new([]);
    let mut owner = Owner::claim(&store, to(&[("desk", &desk)])).await;
    for number in 1..=512 {
        owner.delivery.ingest("0", number, Vec::new(), at(700_000));
    }
    wall::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(records_of(&store).await, 0);
    let began = wall::monotonic();
    for number in 513..=700 {
        owner.ingest(number);
        wall::sleep(Duration::from_millis(1)).await;
    }
    owner.settled().await;
    wall::sleep(Duration::from_millis(1_200)).await;
    let records = records_of(&store).await;
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(
        (1..=seconds + 2).contains(&records),
        "records={records} seconds={seconds}"
    );
    owner.delivery.ingest("0", 701, Vec::new(), at(700_000));
    owner.delivery.close().await.unwrap();
    assert_eq!(
        records_of(&store).await,
        records + 1,
        "closing seals cursors"
    );
    let owner = Owner::claim(&store, to(&[("desk", &desk)])).await;
    assert_eq!(owner.delivery.known.lock().unwrap()["0"], 701);
}

/// The payload of a source's record in these tests: what a rule decided.
fn transitions(label: &str, number: u64, payload: &[u8]) -> Result<SourceTransitions> {
    let mut changes: Vec<AlertChange> = postcard::from_bytes(payload)?;
    Ok((!changes.is_empty()).then(|| (seal(label, number, &mut changes), at(700_000))))
}

fn source() -> AlertSource {
    AlertSource {
        log: "shard-0".to_owned(),
        layout: 1,
        label: "0".to_owned(),
        transitions,
    }
}

async fn append(log: &mut Log, changes: &[AlertChange]) -> u64 {
    let payload = Bytes::from(postcard::to_stdvec(changes).unwrap());
    log.append(payload).await.unwrap()
}

#[tokio::test]
async fn a_restart_reads_what_the_sources_have_sealed_since() {
    let store = in_memory();
    let (mut shard, _) = Log::claim(store.clone(), "shard-0", 1, "shard")
        .await
        .unwrap();
    append(&mut shard, &[change("a"), change("b")]).await;
    append(&mut shard, &[]).await;
    let desk = Receiver::new([]);
    let claim = async || {
        Owner::claim_with(&store, to(&[("desk", &desk)]), vec![source()])
            .await
            .unwrap()
    };
    let mut owner = claim().await;
    owner.settled().await;
    assert_eq!(desk.seen(), ["A15-0-2-0", "A15-0-2-1"]);
    // Record 2 is known; so is 3, which said nothing.
    owner.ingest(2);
    owner.ingest(3);
    assert_eq!(owner.delivery.outstanding(), 0);
    let number = append(&mut shard, &[change("c")]).await;
    assert_eq!(number, 4);
    owner.delivery.close().await.unwrap();

    let mut owner = claim().await;
    owner.settled().await;
    let mut again = desk.seen().split_off(2);
    again.sort();
    assert_eq!(
        again,
        ["A15-0-2-0", "A15-0-2-1", "A15-0-4-0"],
        "two are recent, one is new"
    );
}

#[tokio::test]
async fn a_missing_or_unreadable_record_of_a_source_is_named() {
    let store = in_memory();
    let desk = Receiver::new([]);
    let (mut shard, _) = Log::claim(store.clone(), "shard-0", 1, "shard")
        .await
        .unwrap();
    shard.append(Bytes::from_static(b"\xff")).await.unwrap();
    let refused = async || {
        let claim = Owner::claim_with(&store, to(&[("desk", &desk)]), vec![source()]).await;
        claim.err().unwrap()
    };
    let error = refused().await;
    assert!(
        error.to_string().contains("log=shard-0 number=2"),
        "{error}"
    );

    let claim = crate::log::LogFolder::new("shard-0").record(1);
    object_store::ObjectStoreExt::delete(&store, &claim)
        .await
        .unwrap();
    let error = refused().await;
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(
        error.to_string().contains("log=shard-0 number=1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_former_owner_ends_and_says_why() {
    let store = in_memory();
    let slow = Receiver::new([Answer::Hang]);
    let mut former = Owner::claim(&store, to(&[("desk", &slow)])).await;
    former.ingest(1);
    slow.attempts(1).await;
    // Until the record of that is durable.
    while records_of(&store).await == 0 {
        wall::sleep(Duration::from_millis(20)).await;
    }
    let desk = Receiver::new([]);
    let mut heir = Owner::claim(&store, to(&[("desk", &desk)])).await;
    heir.settled().await;
    assert_eq!(desk.seen(), ["A15-0-1-0"]);
    assert_eq!(former.ended().await.kind(), ErrorKind::Fenced);
    let closed = former.delivery.close().await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn a_panic_of_a_sink_is_reported() {
    let store = in_memory();
    let desk = Receiver::new([Answer::Panic]);
    let mut owner = Owner::claim(&store, to(&[("desk", &desk)])).await;
    owner.ingest(1);
    let error = owner.ended().await;
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(
        owner.delivery.outstanding(),
        1,
        "nothing reports that it has left"
    );
}

#[tokio::test]
async fn a_destination_without_a_sink_is_not_waited_for() {
    let store = in_memory();
    let desk = Receiver::new([]);
    let mut destinations = to(&[("desk", &desk)]);
    destinations.routes.0.push(Route {
        destination: "nobody".into(),
        rules: Default::default(),
    });
    let mut owner = Owner::claim(&store, destinations).await;
    owner.ingest(1);
    owner.settled().await;
    assert_eq!(desk.seen(), ["A15-0-1-0"]);
}
