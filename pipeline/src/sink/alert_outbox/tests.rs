#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use schemas::time::DurationMs;

use super::super::outbox::Route;
use super::super::schedule::DeliveryOutcome;
use super::*;
use crate::alert::seal;
use crate::alert::transition_fixture::change;
use crate::time::fixture::at;

fn routes() -> Routes {
    let route = |destination: &str, rules: &[&str]| Route {
        destination: destination.into(),
        rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
    };
    Routes(vec![route("desk", &[]), route("topic", &[])])
}

/// Record `number` of source `source`: one transition, an hour after the record before, about a key of its own.
fn record(source: &str, number: u64) -> SourceRecord {
    let mut changes = vec![change(&format!("A15|{source}|{number}"))];
    SourceRecord {
        source: source.into(),
        number,
        transitions: routes().route(seal(source, number, &mut changes)),
        at: Some(at(0) + number.cast_signed() * DurationMs::HOUR),
    }
}

/// A record without transitions.
fn empty(source: &str, number: u64) -> SourceRecord {
    SourceRecord {
        transitions: Vec::new(),
        ..record(source, number)
    }
}

fn attempt(number: u64, destination: &str, outcome: DeliveryOutcome) -> DeliveryAttempt {
    DeliveryAttempt {
        id: "x".into(),
        sequence: i64::try_from(number).unwrap() * 65_536,
        dedupe_key: "x".into(),
        destination: destination.into(),
        attempt: 1,
        attempted_at: at(0),
        outcome,
        status: None,
        error: None,
    }
}

/// Ids and destinations, as `A15-0-1-0>desk`.
fn names<'a>(dispatches: impl IntoIterator<Item = &'a Dispatch>) -> Vec<String> {
    let name = |dispatch: &Dispatch| format!("{}>{}", dispatch.transition.id, dispatch.destination);
    dispatches.into_iter().map(name).collect()
}

/// What outlives a crash: the source's log, and the records and the newest checkpoint of the delivery's own log.
#[derive(Clone, Default)]
struct Storage {
    source: Vec<SourceRecord>,
    checkpoint: Option<AlertCheckpoint>,
    records: Vec<(u64, AlertLogRecord)>,
    last: u64,
}

impl Storage {
    /// A new owner: restores, reads the source behind its cursor, and says what it sends first.
    fn recover(&self) -> (AlertOutboxState, Vec<String>) {
        let mut state = AlertOutboxState::restore(self.checkpoint.clone(), self.records.clone());
        for record in &self.source {
            state.ingest(record.clone());
        }
        let dispatches = state.take_over(&routes());
        let dispatches: Vec<_> = dispatches.iter().map(|(_, dispatch)| dispatch).collect();
        let names = names(dispatches);
        (state, names)
    }

    /// Makes durable what `state` has not sealed.
    fn append(&mut self, state: &mut AlertOutboxState) {
        let Some(record) = state.unsealed().cloned() else {
            return;
        };
        self.last += 1;
        self.records.push((self.last, record));
        state.sealed(self.last);
    }
}

/// One step of an owner or of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// The source makes this record durable.
    Seal(u64),
    /// The delivery receives it.
    Ingest(u64),
    /// A receiver gets a transition; the answer is still on its way.
    Send(u64, &'static str),
    /// Its answer is in.
    Acknowledge(u64, &'static str),
    /// The receiver will never take it.
    Refuse(u64, &'static str),
    Append,
    Checkpoint,
}

fn play(steps: &[Step]) -> Storage {
    let mut storage = Storage::default();
    let mut state = AlertOutboxState::default();
    for step in steps {
        match *step {
            Step::Seal(number) => storage.source.push(record("0", number)),
            Step::Ingest(number) => {
                let sent = state.ingest(record("0", number));
                assert_eq!(sent.len(), 2);
            }
            Step::Send(..) => {}
            Step::Acknowledge(number, destination) => {
                state.attempted(
                    &"0".into(),
                    attempt(number, destination, DeliveryOutcome::Delivered),
                );
            }
            Step::Refuse(number, destination) => {
                state.attempted(
                    &"0".into(),
                    attempt(number, destination, DeliveryOutcome::Refused),
                );
            }
            Step::Append => storage.append(&mut state),
            Step::Checkpoint => {
                storage.checkpoint = Some(state.checkpoint().clone());
                storage.records.clear();
            }
        }
    }
    storage
}

/// The life of a transition to two receivers, with the transition of record 2 behind it, so that record 1 is not recent.
#[test]
fn a_new_owner_sends_what_is_not_durably_settled() {
    use Step::{Acknowledge, Append, Checkpoint, Ingest, Refuse, Seal, Send};
    let one = |destination: &str| format!("A15-0-1-0>{destination}");
    let both = || vec![one("desk"), one("topic")];
    let life: Vec<(&str, Step, Vec<String>)> = vec![
        ("before the delivery received it", Seal(1), both()),
        ("before it was sent", Ingest(1), both()),
        ("after it was sent", Send(1, "desk"), both()),
        ("after it was acknowledged", Acknowledge(1, "desk"), both()),
        ("after the record of that", Append, vec![one("topic")]),
        ("after a checkpoint", Checkpoint, vec![one("topic")]),
        (
            "after it was sent to the second",
            Send(1, "topic"),
            vec![one("topic")],
        ),
        (
            "after the second refused it",
            Refuse(1, "topic"),
            vec![one("topic")],
        ),
        ("after the record of that", Append, vec![]),
        ("after a checkpoint", Checkpoint, vec![]),
    ];
    for died_after in 0..life.len() {
        let (name, _, expected) = &life[died_after];
        let mut steps: Vec<Step> = life[..=died_after]
            .iter()
            .map(|(_, step, _)| *step)
            .collect();
        steps.push(Seal(2));
        let storage = play(&steps);
        let (mut state, sent) = storage.recover();
        let mut expected = expected.clone();
        expected.extend(["desk", "topic"].map(|name| format!("A15-0-2-0>{name}")));
        assert_eq!(sent, expected, "died {name}");

        // It dies again, before and after its first record.
        let mut storage = storage;
        assert_eq!(storage.recover().1, expected, "died twice, {name}");
        storage.append(&mut state);
        assert_eq!(storage.recover().1, expected, "died after recovery, {name}");
    }
}

/// The rule of taking over: of keys that changed within ten minutes the latest state is repeated, acknowledged or not.
#[test]
fn a_new_owner_repeats_the_latest_state_of_recent_keys() {
    use Step::{Acknowledge, Append, Ingest, Seal};
    let mut steps = Vec::new();
    for number in [1, 2] {
        steps.extend([Seal(number), Ingest(number)]);
        steps.extend(["desk", "topic"].map(|name| Acknowledge(number, name)));
    }
    steps.push(Append);
    let sent = play(&steps).recover().1;
    assert_eq!(sent, ["A15-0-2-0>desk", "A15-0-2-0>topic"]);
}

#[test]
fn a_record_that_is_known_changes_nothing() {
    let mut state = AlertOutboxState::default();
    assert_eq!(state.ingest(record("0", 7)).len(), 2);
    assert_eq!(
        state.ingest(record("1", 7)).len(),
        2,
        "sources count for themselves"
    );
    let before = state.clone();
    for number in [7, 3] {
        assert!(state.ingest(record("0", number)).is_empty());
    }
    assert_eq!(state.unsealed(), before.unsealed());
    assert_eq!((state.cursor("0"), state.cursor("2")), (7, 0));
}

#[test]
fn ages_are_measured_against_the_latest_record_of_all_sources() {
    let mut state = AlertOutboxState::default();
    assert_eq!(state.live_time(), at(i64::MIN));
    state.ingest(empty("0", 9));
    state.ingest(empty("1", 2));
    let silent = SourceRecord {
        at: None,
        ..empty("1", 3)
    };
    state.ingest(silent);
    assert_eq!(state.live_time(), at(0) + 9 * DurationMs::HOUR);
    let restored =
        AlertOutboxState::restore(None, state.unsealed().cloned().map(|record| (1, record)));
    assert_eq!(restored.live_time(), at(0) + 9 * DurationMs::HOUR);
}

#[test]
fn a_record_holds_changes_only() {
    let mut state = AlertOutboxState::default();
    assert_eq!(state.unsealed(), None);
    state.ingest(record("0", 1));
    state.attempted(&"0".into(), attempt(1, "desk", DeliveryOutcome::Retry));
    state.attempted(&"0".into(), attempt(9, "desk", DeliveryOutcome::Delivered));
    assert_eq!(state.unsealed().unwrap().settled, []);
    state.sealed(1);
    assert_eq!(state.unsealed(), None);
    for _ in 0..2 {
        state.attempted(&"0".into(), attempt(1, "desk", DeliveryOutcome::Expired));
    }
    let record = state.unsealed().unwrap();
    assert_eq!((record.settled.len(), record.added.len()), (1, 0));
    assert!(record.cursors.is_empty() && record.live_time.is_none());
}

#[test]
fn destinations_that_the_configuration_no_longer_has_are_forgotten_durably() {
    let mut storage = play(&[Step::Seal(1), Step::Ingest(1), Step::Append]);
    let mut state = AlertOutboxState::restore(None, storage.records.clone());
    let left = Routes(routes().0[..1].to_vec());
    let (_, dispatch) = state.take_over(&left).remove(0);
    assert_eq!(names([&dispatch]), ["A15-0-1-0>desk"]);
    assert_eq!(state.unsealed().unwrap().settled.len(), 1);
    storage.append(&mut state);
    let state = AlertOutboxState::restore(None, storage.records);
    let strangers = state.whole.outboxes["0"].strangers(&left);
    assert_eq!(strangers, []);
}

#[test]
fn when_the_next_record_is_due() {
    let second = Duration::from_secs(1);
    let mut state = AlertOutboxState::default();
    assert_eq!(
        state.record_due_in(second * 86_400),
        None,
        "nothing has changed"
    );

    state.ingest(empty("0", CURSOR_LEAD));
    assert_eq!(state.record_due_in(second), Some(CURSOR_AGE - second));
    assert_eq!(state.record_due_in(CURSOR_AGE), Some(Duration::ZERO));
    state.ingest(empty("0", CURSOR_LEAD + 1));
    assert_eq!(state.record_due_in(second), Some(Duration::ZERO));
    state.sealed(1);
    assert_eq!(state.record_due_in(CURSOR_AGE), None);

    state.ingest(empty("0", CURSOR_LEAD + 2));
    assert_eq!(state.record_due_in(second), Some(CURSOR_AGE - second));
    state.ingest(record("0", CURSOR_LEAD + 3));
    assert_eq!(state.record_due_in(Duration::ZERO), Some(second));
    assert_eq!(state.record_due_in(second * 2), Some(Duration::ZERO));
    state.sealed(1);
    let delivered = attempt(CURSOR_LEAD + 3, "desk", DeliveryOutcome::Delivered);
    state.attempted(&"0".into(), delivered);
    assert_eq!(state.record_due_in(second), Some(Duration::ZERO));
}

/// What may happen, by a number that is drawn.
fn step(drawn: u8, sealed: &mut u64, ingested: &mut u64) -> Option<Step> {
    let destination = if drawn.is_multiple_of(2) {
        "desk"
    } else {
        "topic"
    };
    match drawn % 16 {
        0..=3 => {
            *sealed += 1;
            Some(Step::Seal(*sealed))
        }
        4..=7 if *ingested < *sealed => {
            *ingested += 1;
            Some(Step::Ingest(*ingested))
        }
        8..=12 if *ingested > 0 => Some(Step::Acknowledge(
            u64::from(drawn / 16) % *ingested + 1,
            destination,
        )),
        13 => Some(Step::Append),
        _ => None,
    }
}

proptest! {
    /// Whatever happens before a crash: what was durably settled is not sent again (but for the recent key), all else is, once
    /// and in order.
    #[test]
    fn nothing_is_lost_and_nothing_settled_is_repeated(drawn in prop::collection::vec(any::<u8>(), 0..60)) {
        let (mut sealed, mut ingested) = (0, 0);
        let steps: Vec<Step> = drawn
            .iter()
            .filter_map(|&drawn| step(drawn, &mut sealed, &mut ingested))
            .collect();
        let storage = play(&steps);
        let (state, sent) = storage.recover();

        let (mut settled, mut durable) = (BTreeSet::new(), BTreeSet::new());
        for step in &steps {
            match *step {
                Step::Acknowledge(number, destination) => drop(settled.insert((number, destination))),
                Step::Append => durable.clone_from(&settled),
                _ => {}
            }
        }
        let all = (1..=sealed).flat_map(|number| ["desk", "topic"].map(|name| (number, name)));
        let expected: Vec<String> = all
            .filter(|each| each.0 == sealed || !durable.contains(each))
            .map(|(number, name)| format!("A15-0-{number}-0>{name}"))
            .collect();
        prop_assert_eq!(sent, expected);
        prop_assert_eq!(state.cursor("0"), sealed);

        // A checkpoint and the records that it stands for give the same state.
        let by_records = AlertOutboxState::restore(None, storage.records);
        let bytes = postcard::to_stdvec(by_records.checkpoint()).unwrap();
        let by_checkpoint = AlertOutboxState::restore(Some(postcard::from_bytes(&bytes).unwrap()), []);
        prop_assert_eq!(by_records.checkpoint(), by_checkpoint.checkpoint());
    }
}

#[test]
fn attempts_are_kept_until_the_publisher_has_made_rows_of_them() {
    let mut storage = play(&[
        Step::Seal(1),
        Step::Ingest(1),
        Step::Acknowledge(1, "desk"),
        Step::Append,
    ]);
    let held = |state: &AlertOutboxState| -> Vec<(u64, usize)> {
        let unconfirmed = state.unconfirmed().iter();
        unconfirmed
            .map(|(number, attempts)| (*number, attempts.len()))
            .collect()
    };
    // The process dies before the publisher has them: they are reported again.
    let (mut state, _) = storage.recover();
    assert_eq!(held(&state), [(1, 1)]);
    state.attempted(&"0".into(), attempt(1, "market", DeliveryOutcome::Retry));
    assert_eq!(
        held(&state),
        [(1, 1)],
        "what is not durable is not reported"
    );
    storage.append(&mut state);
    assert_eq!(held(&state), [(1, 1), (2, 1)]);
    state.confirm(1);
    assert_eq!(held(&state), [(2, 1)]);
    storage.checkpoint = Some(state.checkpoint().clone());
    storage.records.clear();
    let (state, _) = storage.recover();
    assert_eq!(
        held(&state),
        [(2, 1)],
        "a checkpoint holds what is not confirmed"
    );
}
