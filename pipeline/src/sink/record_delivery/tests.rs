#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::sync::Notify;

use super::super::record_file::stage_records;
use super::*;
use crate::error::ErrorKind;
use crate::log::faulty::{Fault, FaultyStore};

/// How a broker takes the next call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Away, and nothing has arrived.
    Away,
    /// Everything arrives and the answer does not.
    Unanswered,
    /// No answer at all.
    Hang,
    Panic,
}

/// A broker that answers by a script, then takes everything but records whose value is `refused`.
#[derive(Default)]
struct Broker {
    script: Mutex<VecDeque<Answer>>,
    /// Values of records that were acknowledged, in their order.
    seen: Mutex<Vec<String>>,
    /// Position of the last record that was acknowledged, of each epoch.
    arrived: Mutex<BTreeMap<i64, usize>>,
    /// Under which names it was resumed.
    senders: Mutex<Vec<String>>,
    called: Notify,
    /// The call, counted from one, that never ends.
    hangs_in: Mutex<Option<usize>>,
}

impl Broker {
    fn new(script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl RecordSink for Broker {
    async fn resume(&self, sender: &str, epoch: i64, _records: &[SinkRecord]) -> Result<usize> {
        self.senders.lock().unwrap().push(sender.to_owned());
        let arrived = self.arrived.lock().unwrap();
        Ok(arrived.get(&epoch).map_or(0, |last| last + 1))
    }

    async fn send(
        &self,
        epoch: i64,
        first: usize,
        records: &[SinkRecord],
    ) -> Result<(), RecordSinkError> {
        let hangs = {
            let mut left = self.hangs_in.lock().unwrap();
            *left = left.map(|calls| calls - 1);
            left.take_if(|calls| *calls == 0).is_some()
        };
        self.called.notify_one();
        if hangs {
            return pending().await;
        }
        let answer = self.script.lock().unwrap().pop_front();
        let values = records.iter().map(value);
        let error = |refused, kind, is_undone| RecordSinkError {
            refused,
            error: Error::new(kind, "a record for topic=t did not arrive"),
            is_undone,
        };
        let is_refused = values.clone().any(|value| value == "refused");
        match answer {
            Some(Answer::Hang) => return pending().await,
            Some(Answer::Panic) => panic!("a mistake in the sink"),
            Some(Answer::Away) => return Err(error(None, ErrorKind::Unavailable, true)),
            None if is_refused => return Err(error(None, ErrorKind::Configuration, true)),
            Some(Answer::Unanswered) | None => {}
        }
        self.seen.lock().unwrap().extend(values);
        let last = first + records.len() - 1;
        self.arrived.lock().unwrap().insert(epoch, last);
        match answer {
            Some(_) => Err(error(None, ErrorKind::Unavailable, false)),
            None => Ok(()),
        }
    }
}

fn value(record: &SinkRecord) -> String {
    let value = record.value.clone().unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}

struct Owner {
    delivery: RecordDelivery,
    events: UnboundedReceiver<SinkEvent>,
}

impl Owner {
    async fn claim(store: &Arc<dyn ObjectStore>, broker: &Arc<Broker>) -> Self {
        let (events, received) = unbounded_channel();
        let sink: Arc<dyn RecordSink> = broker.clone();
        let delivery = RecordDelivery::claim(store.clone(), "test", Some(sink), events);
        Self {
            delivery: delivery.await.unwrap(),
            events: received,
        }
    }

    async fn deliver(&self, store: &Arc<dyn ObjectStore>, epoch: i64, values: &[&str]) {
        self.delivery
            .deliver(epoch, stage(store, epoch, values).await);
    }

    async fn delivered(&mut self) -> i64 {
        match self.events.recv().await {
            Some(SinkEvent::Delivered { epoch, .. }) => epoch,
            other => panic!("unexpected {other:?}"),
        }
    }

    async fn ended(&mut self) -> Error {
        match self.events.recv().await {
            Some(SinkEvent::Ended(error)) => error,
            other => panic!("unexpected {other:?}"),
        }
    }
}

async fn stage(store: &Arc<dyn ObjectStore>, epoch: i64, values: &[&str]) -> RecordFile {
    let records: Vec<SinkRecord> = values
        .iter()
        .map(|value| SinkRecord {
            topic: "t".to_owned(),
            key: None,
            value: Some(value.as_bytes().to_vec().into()),
            headers: Vec::new(),
            may_be_cut: false,
        })
        .collect();
    let staged = stage_records(store, &format!("1-{epoch}"), &records).await;
    staged.unwrap().unwrap()
}

async fn is_staged(store: &Arc<dyn ObjectStore>, epoch: i64) -> bool {
    let path = Path::from(format!("sinks/records/1-{epoch}"));
    store.head(&path).await.is_ok()
}

fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[tokio::test]
async fn epochs_leave_in_order_and_their_files_go() {
    let store = in_memory();
    let broker = Broker::new([]);
    let mut owner = Owner::claim(&store, &broker).await;
    owner.deliver(&store, 1, &["a", "b"]).await;
    owner.deliver(&store, 3, &["c"]).await;
    assert_eq!((owner.delivered().await, owner.delivered().await), (1, 3));
    assert_eq!(broker.seen(), ["a", "b", "c"]);
    owner.delivery.close().await.unwrap();
    assert!(!is_staged(&store, 1).await && !is_staged(&store, 3).await);
    assert!(
        owner.events.recv().await.is_none(),
        "an asked end is not reported"
    );
}

#[tokio::test]
async fn what_is_outstanding_is_known_at_once() {
    let store = in_memory();
    let broker = Broker::new([]);
    let mut owner = Owner::claim(&store, &broker).await;
    let file = stage(&store, 1, &["a"]).await;
    assert_eq!(owner.delivery.outstanding(), 0);
    owner.delivery.deliver(1, file.clone());
    owner.delivery.deliver(1, file);
    assert_eq!(owner.delivery.outstanding(), 1);
    while owner.delivery.outstanding() > 0 {
        tokio::task::yield_now().await;
    }
    let event = owner.events.try_recv().unwrap();
    assert!(matches!(event, SinkEvent::Delivered { epoch: 1, .. }));
}

#[tokio::test]
async fn a_new_owner_goes_on_behind_the_last_epoch_that_left() {
    let store = in_memory();
    let broker = Broker::new([]);
    let mut first = Owner::claim(&store, &broker).await;
    first.deliver(&store, 1, &["a"]).await;
    assert_eq!(first.delivered().await, 1);
    // It dies while epoch 2 is under way and before its owner has noted epoch 1, whose file is still there.
    let hanging = Broker::new([Answer::Hang]);
    drop(first);
    let second = Owner::claim(&store, &hanging).await;
    second.deliver(&store, 2, &["b"]).await;
    hanging.called.notified().await;
    second.delivery.close().await.unwrap();

    let mut third = Owner::claim(&store, &broker).await;
    third.deliver(&store, 1, &["a"]).await;
    assert_eq!(third.delivery.outstanding(), 0);
    third.deliver(&store, 2, &["b"]).await;
    assert_eq!((third.delivered().await, third.delivered().await), (1, 2));
    assert_eq!(broker.seen(), ["a", "b"]);
    third.delivery.close().await.unwrap();
    assert!(!is_staged(&store, 1).await);
}

#[tokio::test]
async fn a_broker_that_is_away_is_waited_for() {
    let store = in_memory();
    let broker = Broker::new([Answer::Away, Answer::Away]);
    let mut owner = Owner::claim(&store, &broker).await;
    owner.deliver(&store, 1, &["a", "b", "c"]).await;
    assert_eq!(owner.delivered().await, 1);
    assert_eq!(broker.seen(), ["a", "b", "c"]);
    assert_eq!(broker.senders.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn f10_what_arrived_without_an_answer_is_found_and_not_sent_again() {
    let store = in_memory();
    let broker = Broker::new([Answer::Unanswered]);
    let mut owner = Owner::claim(&store, &broker).await;
    owner.deliver(&store, 1, &["a", "b", "c"]).await;
    assert_eq!(owner.delivered().await, 1);
    assert_eq!(broker.seen(), ["a", "b", "c"]);
    // A sender keeps its name over its own failures and over owners.
    let mut heir = Owner::claim(&store, &broker).await;
    heir.deliver(&store, 2, &["d"]).await;
    assert_eq!(heir.delivered().await, 2);
    let senders = broker.senders.lock().unwrap();
    assert!(!senders[0].is_empty());
    assert_eq!(*senders, [&*senders[0], &*senders[0], &*senders[0]]);
}

#[tokio::test]
async fn a_record_that_is_refused_for_good_is_given_up_and_listed() {
    let store = in_memory();
    let broker = Broker::new([]);
    let mut owner = Owner::claim(&store, &broker).await;
    owner
        .deliver(&store, 1, &["refused", "a", "refused", "b"])
        .await;
    let listed = |event| match event {
        Some(SinkEvent::Delivered { epoch, given_up }) => (epoch, given_up),
        other => panic!("unexpected {other:?}"),
    };
    let (_, given_up) = listed(owner.events.recv().await);
    assert_eq!(given_up.len(), 2);
    assert_eq!(given_up[0].outcome, DeliveryOutcome::Refused);
    assert_eq!(&*given_up[0].destination, "topic t");
    owner.deliver(&store, 2, &["c"]).await;
    assert_eq!(listed(owner.events.recv().await), (2, Vec::new()));
    assert_eq!(broker.seen(), ["a", "b", "c"]);
    // Its owner may have died before it made rows of them.
    owner.delivery.close().await.unwrap();
    let mut heir = Owner::claim(&store, &broker).await;
    heir.deliver(&store, 1, &["refused", "a", "refused", "b"])
        .await;
    assert_eq!(listed(heir.events.recv().await), (1, given_up));
}

/// Its owner dies while the records behind those that were given up are under way.
#[tokio::test]
async fn f10_records_that_were_given_up_are_listed_once_after_a_crash_within_their_epoch() {
    let values = ["a", "refused", "b", "refused", "c"];
    // all five, "a", two, "refused", "b", two, "refused", "c"
    for call in 1..=8 {
        let store = in_memory();
        let broker = Broker::new([]);
        *broker.hangs_in.lock().unwrap() = Some(call);
        let dying = Owner::claim(&store, &broker).await;
        dying.deliver(&store, 1, &values).await;
        while broker.hangs_in.lock().unwrap().is_some() {
            broker.called.notified().await;
        }
        drop(dying);
        let mut heir = Owner::claim(&store, &broker).await;
        heir.deliver(&store, 1, &values).await;
        let Some(SinkEvent::Delivered { given_up, .. }) = heir.events.recv().await else {
            panic!("not delivered");
        };
        assert_eq!(given_up.len(), 2, "it died in call {call}");
        assert_eq!(broker.seen(), ["a", "b", "c"], "it died in call {call}");
    }
}

/// F15: between its batches a former owner sleeps, and another one takes over and goes on.
#[tokio::test]
async fn f15_a_former_owner_that_wakes_up_looks_before_it_sends() {
    let store = in_memory();
    let broker = Broker::new([]);
    let mut former = Owner::claim(&store, &broker).await;
    former.deliver(&store, 1, &["a"]).await;
    assert_eq!(former.delivered().await, 1);
    let mut heir = Owner::claim(&store, &broker).await;
    heir.deliver(&store, 2, &["b"]).await;
    assert_eq!(heir.delivered().await, 2);
    // Its lease has not run out: that alone would let it send.
    former.deliver(&store, 2, &["older"]).await;
    assert_eq!(former.ended().await.kind(), ErrorKind::Fenced);
    assert_eq!(broker.seen(), ["a", "b"]);
}

#[tokio::test]
async fn a_damaged_or_missing_file_ends_the_delivery_and_is_named() {
    let store = in_memory();
    let broker = Broker::new([]);
    for is_missing in [false, true] {
        let mut owner = Owner::claim(&store, &broker).await;
        let file = stage(&store, 1, &["a"]).await;
        let path = Path::from(file.path.as_str());
        if is_missing {
            store.delete(&path).await.unwrap();
        } else {
            store.put(&path, vec![0; 70].into()).await.unwrap();
        }
        owner.delivery.deliver(1, file);
        let error = owner.ended().await;
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(
            error.to_string().contains("path=sinks/records/1-1"),
            "{error}"
        );
        assert_eq!(owner.delivery.outstanding(), 1);
        let closed = owner.delivery.close().await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Damaged);
    }
    assert_eq!(broker.seen(), [""; 0]);
}

#[tokio::test]
async fn a_former_owner_ends_and_says_why() {
    let store = in_memory();
    let broker = Broker::new([Answer::Hang]);
    let mut former = Owner::claim(&store, &broker).await;
    former.deliver(&store, 1, &["a"]).await;
    broker.called.notified().await;
    let mut heir = Owner::claim(&store, &broker).await;
    heir.deliver(&store, 1, &["a"]).await;
    assert_eq!(heir.delivered().await, 1);
    assert_eq!(former.ended().await.kind(), ErrorKind::Fenced);
    assert_eq!(broker.seen(), ["a"]);
}

#[tokio::test]
async fn a_panic_of_the_sink_is_reported() {
    let store = in_memory();
    let broker = Broker::new([Answer::Panic]);
    let mut owner = Owner::claim(&store, &broker).await;
    owner.deliver(&store, 1, &["a"]).await;
    let error = owner.ended().await;
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[tokio::test]
async fn a_put_that_is_not_answered_loses_and_repeats_nothing() {
    let faulty = FaultyStore::new([]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let broker = Broker::new([]);
    let mut owner = Owner::claim(&store, &broker).await;
    let file = stage(&store, 1, &["a"]).await;
    faulty.then([Fault::AfterSuccess]);
    owner.delivery.deliver(1, file);
    assert_eq!(owner.delivered().await, 1);
    owner.delivery.close().await.unwrap();
    let next = Owner::claim(&store, &broker).await;
    assert_eq!(next.delivery.claimed.delivered, Some(1));
    assert_eq!(broker.seen(), ["a"]);
}

#[tokio::test]
async fn without_a_sink_an_epoch_is_settled_at_once_and_there_is_no_log() {
    let store = in_memory();
    let (events, mut received) = unbounded_channel();
    let delivery = RecordDelivery::claim(store.clone(), "test", None, events).await;
    let delivery = delivery.unwrap();
    let file = stage(&store, 1, &["a"]).await;
    for epoch in [1, 2, 2, 1] {
        delivery.deliver(epoch, file.clone());
        assert_eq!(delivery.outstanding(), 0);
    }
    delivery.close().await.unwrap();
    let mut epochs = Vec::new();
    while let Ok(SinkEvent::Delivered { epoch, .. }) = received.try_recv() {
        epochs.push(epoch);
    }
    assert_eq!(epochs, [1, 2]);
    let log = Path::from("log");
    assert!(
        store
            .list_with_delimiter(Some(&log))
            .await
            .unwrap()
            .common_prefixes
            .is_empty()
    );
}
