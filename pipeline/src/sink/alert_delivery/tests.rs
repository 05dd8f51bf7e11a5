#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;

use super::super::alert_sink::AlertSink;
use super::super::alert_source::SourceTransitions;
use super::super::outbox::Route;
use super::super::schedule::DeliveryOutcome;
use super::super::webhook::Webhook;
use super::super::webhook::tests::{SECRET, serve, settings};
use super::*;
use crate::alert::transition_fixture::{change, transition};
use crate::alert::{AlertChange, seal};
use crate::error::ErrorKind;
use crate::log::Log;
use crate::time::fixture::at;
use owner::{Answer, Owner, Receiver, in_memory, records_of, to, to_sinks};

mod owner;

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
    assert_eq!(owner.delivery.outstanding(), 2);
    owner.settled().await;
    assert_eq!(hook.seen(), ["A15-0-1-0", "A15-0-2-0"]);
    assert_eq!(desk.seen(), [""; 0], "acknowledged");
    // What was known before changes nothing.
    owner.ingest(1);
    owner.ingest(2);
    assert_eq!(owner.delivery.outstanding(), 0);
}

/// What its owner had no answer to is not told from what it had one to, and a receiver may be left with an older state.
#[tokio::test]
async fn recent_changes_are_repeated_after_an_end_that_nobody_prepared_and_after_no_other() {
    let store = in_memory();
    let desk = Receiver::new([]);
    let claim = async || Owner::claim(&store, to(&[("desk", &desk)])).await;
    let mut owner = claim().await;
    owner.ingest(1);
    owner.settled().await;
    let records = records_of(&store).await;
    // As a process that is killed: nothing more is sealed.
    drop(owner);

    let mut owner = claim().await;
    assert_eq!(owner.delivery.outstanding(), 1);
    owner.settled().await;
    assert_eq!(desk.seen(), ["A15-0-1-0", "A15-0-1-0"]);
    owner.delivery.close().await.unwrap();
    assert!(records_of(&store).await > records);

    // However often it is started after that: nothing is sent, and nothing is written.
    let records = records_of(&store).await;
    for _ in 0..3 {
        let owner = claim().await;
        assert_eq!(owner.delivery.outstanding(), 0);
        owner.delivery.close().await.unwrap();
    }
    assert_eq!(desk.seen().len(), 2);
    assert_eq!(records_of(&store).await, records);

    // A start that is killed before it has said anything leaves things as they are.
    drop(claim().await);
    assert_eq!(claim().await.delivery.outstanding(), 0);

    // Eleven minutes later the first change is no longer recent, be it that another source says so.
    let mut owner = claim().await;
    let later = seal("1", 1, &mut vec![change("other")]);
    owner
        .delivery
        .ingest("1", 1, later, at(700_000 + 11 * 60_000));
    owner.settled().await;
    drop(owner);
    let mut owner = claim().await;
    owner.settled().await;
    assert_eq!(desk.seen().split_off(2), ["A15-1-1-0", "A15-1-1-0"]);
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
    assert_eq!(desk.seen().split_off(2), ["A15-0-4-0"], "one is new");
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
