#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};

use super::*;
use crate::time::fixture::{at, ms};

/// 2026-01-06 09:00 in Shanghai.
const NINE: i64 = 1_767_661_200_000;
const SKEW: i64 = 300_000;
const DAY: i64 = DurationMs::DAY.as_ms();
/// How far below the highest a record of these tests may lie: `out_of_orderness` + `allowed_lateness`.
const SPAN: i64 = 60_000 + 2 * DAY;
const PARTITIONS: u32 = 4;

fn judge_of(topic: Topic, partition: u32, state: JudgeState) -> InputJudge {
    let settings = TopicSettings {
        topic,
        name: topic.default_topic().to_owned(),
        time: TopicTime {
            out_of_orderness: ms(60_000),
            allowed_lateness: 2 * DurationMs::DAY,
            idle_after: ms(30_000),
            max_jump: 31 * DurationMs::DAY,
        },
    };
    let limits = Limits {
        max_future_skew: DurationMs::from_ms(SKEW),
        ..Limits::default()
    };
    let partitioner = Partitioner::Murmur2;
    InputJudge::new(settings, limits, partitioner, partition, PARTITIONS, state)
}

/// The judge of the orders partition in which customer C1 lives.
fn orders() -> InputJudge {
    let partition = partition_of(b"C1", PARTITIONS);
    judge_of(Topic::Orders, partition, JudgeState::default())
}

/// An order of C1 that happened and was written down at that instant, changed.
fn order(event_id: &str, occurred_at: i64, changes: Value) -> Vec<u8> {
    let mut event = json!({
        "event_id": event_id, "event_type": "order.placed", "schema_version": 1, "occurred_at": occurred_at,
        "recorded_at": occurred_at, "customer_id": "C1", "order_id": "O1",
        "lines": [{"line_no": 1, "sku_id": "S1", "requested_qty": 1}],
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string().into_bytes()
}

/// A line of a file: neither key nor timestamp.
fn line(payload: Vec<u8>) -> Record {
    Record {
        input: 0,
        offset: 0,
        key: None,
        payload_len: payload.len() as u64,
        payload: Some(Bytes::from(payload)),
        timestamp: None,
        timestamp_kind: TimestampKind::None,
        headers: Vec::new(),
    }
}

/// A record of Kafka, sent at `timestamp`.
fn sent(payload: Vec<u8>, key: &str, kind: TimestampKind, timestamp: TimestampMs) -> Record {
    Record {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        timestamp: Some(timestamp),
        timestamp_kind: kind,
        ..line(payload)
    }
}

fn said(judge: &mut InputJudge, record: &Record) -> &'static str {
    match judge.judge(record) {
        Verdict::Accepted(..) => "accepted",
        Verdict::Duplicate => "duplicate",
        Verdict::TooLate(_) => "too_late",
        Verdict::Dead(rejection) => rejection.reason.as_str(),
    }
}

/// What is said of an order line in a file.
fn said_of(judge: &mut InputJudge, event_id: &str, occurred_at: i64) -> &'static str {
    said(judge, &line(order(event_id, occurred_at, json!({}))))
}

/// Some key that lives in C1's partition, or in another one.
fn other_key(lives_with_c1: bool) -> String {
    let home = partition_of(b"C1", PARTITIONS);
    (2..)
        .map(|number| format!("C{number}"))
        .find(|key| (partition_of(key.as_bytes(), PARTITIONS) == home) == lives_with_c1)
        .unwrap()
}

#[test]
fn k03_behind_the_values_come_future_then_place_then_key_then_late_then_duplicate() {
    let mut judge = orders();
    assert_eq!(said_of(&mut judge, "known", NINE), "accepted");
    assert_eq!(said_of(&mut judge, "later", NINE + SPAN + 1), "accepted");

    let (near, far) = (other_key(true), other_key(false));
    let from_the_future = json!({"recorded_at": NINE - SKEW - 1});
    let mut bad_from_the_future = from_the_future.clone();
    bad_from_the_future["lines"] = json!([{"line_no": 1, "sku_id": "S1", "requested_qty": -1}]);
    // Each has all the faults of those below it; the last one's id was accepted before.
    let table = [
        (bad_from_the_future, NINE, far.as_str(), "bad_value"),
        (from_the_future, NINE, far.as_str(), "future_dated"),
        (json!({}), NINE, far.as_str(), "misplaced_key"),
        (json!({}), NINE, near.as_str(), "key_mismatch"),
        (json!({}), NINE, "C1", "too_late"),
    ];
    for (changes, occurred_at, key, expected) in table {
        let payload = order("known", occurred_at, changes);
        let record = sent(payload, key, TimestampKind::CreateTime, at(NINE));
        assert_eq!(said(&mut judge, &record), expected);
    }
    let again = order("later", NINE + SPAN, json!({}));
    let record = sent(again, "C1", TimestampKind::CreateTime, at(NINE + SPAN));
    assert_eq!(said(&mut judge, &record), "duplicate");

    let counters = judge.counters();
    assert!(counters.is_conserved(), "{counters:?}");
    assert_eq!(
        (counters.read, counters.accepted, counters.duplicate),
        (8, 2, 1)
    );
    assert_eq!((counters.too_late, counters.dead), (1, 4));
}

#[test]
fn k01_the_key_of_a_line_is_its_payloads_id() {
    let home = partition_of(b"C1", PARTITIONS);
    for partition in 0..PARTITIONS {
        let mut judge = judge_of(Topic::Orders, partition, JudgeState::default());
        let expected = if partition == home {
            "accepted"
        } else {
            "misplaced_key"
        };
        assert_eq!(said_of(&mut judge, "e", NINE), expected);
    }
    // Which id that is depends on the event: here it is not the customer's.
    let plan = json!({
        "event_id": "e", "event_type": "visit.plan_submitted", "schema_version": 1, "occurred_at": NINE, "recorded_at": NINE,
        "customer_id": other_key(false), "staff_id": "C1", "plan_id": "P1", "plan_month": "2026-02", "plan_kind": "VISIT",
        "planned_count": 3,
    });
    let mut judge = judge_of(Topic::Visits, home, JudgeState::default());
    assert_eq!(
        said(&mut judge, &line(plan.to_string().into_bytes())),
        "accepted"
    );
    // A record of Kafka has a key of its own, or none, which is not the payload's id.
    let keyless = Record {
        key: None,
        ..sent(
            order("e", NINE, json!({})),
            "",
            TimestampKind::CreateTime,
            at(NINE),
        )
    };
    assert_eq!(said(&mut orders(), &keyless), "key_mismatch");
}

#[test]
fn k02_an_empty_line_is_malformed_and_a_null_one_a_tombstone() {
    let null = Record {
        payload: None,
        payload_len: 0,
        ..line(Vec::new())
    };
    let mut judge = orders();
    assert_eq!(said(&mut judge, &line(Vec::new())), "malformed_json");
    assert_eq!(said(&mut judge, &null), "tombstone");
    assert_eq!(said(&mut judge, &line(b"null".to_vec())), "tombstone");
    assert_eq!(
        judge.counters().read,
        3,
        "each of them stands at an offset and is accounted for"
    );
}

#[test]
fn k05_by_files_an_event_may_lie_one_skew_behind_its_recording() {
    for (ahead, expected) in [(SKEW, "accepted"), (SKEW + 1, "future_dated")] {
        let payload = order("e", NINE + ahead, json!({"recorded_at": NINE}));
        assert_eq!(said(&mut orders(), &line(payload)), expected, "{ahead}");
    }
}

#[test]
fn k05_by_kafka_the_timestamp_bounds_it_too() {
    use TimestampKind::{CreateTime, LogAppendTime};
    for (kind, ahead, expected) in [
        (LogAppendTime, SKEW, "accepted"),
        (LogAppendTime, SKEW + 1, "future_dated"),
        (CreateTime, SKEW + 1, "accepted"),
        (CreateTime, DAY, "accepted"),
        (CreateTime, DAY + 1, "future_dated"),
    ] {
        let payload = || order("e", NINE + ahead, json!({}));
        let record = sent(payload(), "C1", kind, at(NINE));
        assert_eq!(said(&mut orders(), &record), expected, "{kind:?} {ahead}");
        // What a timestamp says is no matter to files.
        assert_eq!(said(&mut orders(), &line(payload())), "accepted");
    }
    // The first rule holds beside the second.
    let payload = order("e", NINE, json!({"recorded_at": NINE - SKEW - 1}));
    let record = sent(payload, "C1", CreateTime, at(NINE));
    assert_eq!(said(&mut orders(), &record), "future_dated");
}

#[test]
fn k05_no_wall_clock_has_a_say() {
    // 2001 and 2096: a replay of either is judged as it was when it came.
    for instant in [980_000_000_000, 3_980_000_000_000] {
        let record = sent(
            order("e", instant, json!({})),
            "C1",
            TimestampKind::LogAppendTime,
            at(instant),
        );
        assert_eq!(said(&mut orders(), &record), "accepted", "{instant}");
    }
}

#[test]
fn k05_a_timestamp_that_no_clock_shows_is_compared_like_any_other() {
    use TimestampKind::{CreateTime, LogAppendTime};
    for kind in [CreateTime, LogAppendTime] {
        let sent_at = |timestamp| sent(order("e", NINE, json!({})), "C1", kind, timestamp);
        let (last, first) = (sent_at(TimestampMs::MAX), sent_at(TimestampMs::MIN));
        assert_eq!(said(&mut orders(), &last), "accepted");
        assert_eq!(said(&mut orders(), &first), "future_dated");
    }
}

#[test]
fn k06_late_is_strictly_below_the_limit_that_accepted_records_move() {
    let mut judge = orders();
    assert_eq!(said_of(&mut judge, "a", NINE + SPAN), "accepted");
    assert_eq!(said_of(&mut judge, "b", NINE), "accepted", "at the limit");
    assert_eq!(said_of(&mut judge, "c", NINE - 1), "too_late");
    // Neither a duplicate nor a dead letter moves the limit, however late in time it lies.
    assert_eq!(said_of(&mut judge, "a", NINE + 2 * SPAN), "duplicate");
    let dead = order(
        "d",
        NINE + 2 * SPAN,
        json!({"customer_id": other_key(false)}),
    );
    assert_eq!(said(&mut judge, &line(dead)), "misplaced_key");
    assert_eq!(said_of(&mut judge, "e", NINE), "accepted");
    // Nor does an earlier record take it back.
    assert_eq!(said_of(&mut judge, "f", NINE - 1), "too_late");
    assert_eq!(judge.time().highest(), Some(at(NINE + SPAN)));
    // Another partition knows nothing of all that.
    assert_eq!(said_of(&mut orders(), "c", NINE - 1), "accepted");
}

#[test]
fn k06_an_id_is_known_exactly_while_its_record_is_not_below_the_limit() {
    let mut judge = orders();
    assert_eq!(said_of(&mut judge, "a", NINE), "accepted");
    assert_eq!(said_of(&mut judge, "b", NINE + SPAN), "accepted");
    assert_eq!(said_of(&mut judge, "a", NINE + SPAN), "duplicate");
    // A millisecond on, and it is forgotten, though memory is tidied by the hour.
    assert_eq!(said_of(&mut judge, "c", NINE + SPAN + 1), "accepted");
    assert_eq!(said_of(&mut judge, "a", NINE + SPAN + 1), "accepted");
    assert_eq!(said_of(&mut judge, "a", NINE + SPAN + 1), "duplicate");
}

#[test]
fn k06_a_judge_taken_back_from_a_base_says_the_same() {
    let mut before = orders();
    for (event_id, at) in [("a", NINE), ("b", NINE + 5), ("c", NINE + SPAN + 1)] {
        assert_eq!(said_of(&mut before, event_id, at), "accepted");
    }
    let mut after = judge_of(
        Topic::Orders,
        partition_of(b"C1", PARTITIONS),
        before.save(),
    );
    for (event_id, at, expected) in [
        ("a", NINE, "too_late"),
        ("b", NINE + 5, "duplicate"),
        ("a", NINE + 5, "accepted"),
        ("d", NINE + 1, "accepted"),
    ] {
        assert_eq!(said_of(&mut before, event_id, at), expected);
        assert_eq!(said_of(&mut after, event_id, at), expected);
    }
    assert_eq!(after.counters(), before.counters());
}

/// An order of another customer, in C1's partition.
fn order_of(customer: &str, event_id: &str, occurred_at: i64) -> Record {
    line(order(
        event_id,
        occurred_at,
        json!({"customer_id": customer}),
    ))
}

#[test]
fn k41_f18_one_key_in_2099_makes_nobody_late() {
    let year_2099 = 4_070_908_800_000;
    let (mut judge, other) = (orders(), other_key(true));
    assert_eq!(said_of(&mut judge, "a", NINE), "accepted");
    assert_eq!(said_of(&mut judge, "future", year_2099), "accepted");
    assert_eq!(said_of(&mut judge, "future", year_2099), "duplicate");
    assert_eq!(judge.time().highest(), Some(at(NINE)));
    assert_eq!(said_of(&mut judge, "b", NINE + DAY), "accepted");
    // Neither what is dead nor a duplicate is a witness.
    let dead = order("dead", year_2099, json!({"customer_id": other_key(false)}));
    assert_eq!(said(&mut judge, &line(dead)), "misplaced_key");
    let again = order_of(&other, "future", year_2099);
    assert_eq!(said(&mut judge, &again), "duplicate");
    assert_eq!(judge.time().highest(), Some(at(NINE + DAY)));
    // A second key is one.
    let witness = order_of(&other, "witness", year_2099 + DAY);
    assert_eq!(said(&mut judge, &witness), "accepted");
    assert_eq!(judge.time().highest(), Some(at(year_2099)));
    assert_eq!(said_of(&mut judge, "c", NINE + DAY), "too_late");
}

#[test]
fn k41_a_first_record_of_2099_is_replaced_before_the_verdict_on_the_second_key() {
    let (mut judge, other) = (orders(), other_key(true));
    assert_eq!(said_of(&mut judge, "future", 4_070_908_800_000), "accepted");
    assert_eq!(said_of(&mut judge, "late", NINE), "too_late");
    assert_eq!(said(&mut judge, &order_of(&other, "a", NINE)), "accepted");
    assert_eq!(judge.time().limit(), Some(at(NINE - SPAN)));
    assert_eq!(said_of(&mut judge, "b", NINE), "accepted");
}

#[test]
fn k41_a_judge_goes_on_where_it_was_saved() {
    let other = other_key(true);
    let records = [
        line(order("1", NINE, json!({}))),
        line(order("2", NINE + 100 * DAY, json!({}))),
        order_of(&other, "3", NINE + DAY),
        order_of(&other, "4", NINE + 90 * DAY),
        line(order("5", NINE + 3 * DAY, json!({}))),
    ];
    let partition = partition_of(b"C1", PARTITIONS);
    for cut in 0..records.len() {
        let mut judge = orders();
        let mut heard: Vec<_> = records[..cut]
            .iter()
            .map(|record| said(&mut judge, record))
            .collect();
        let mut judge = judge_of(Topic::Orders, partition, judge.save());
        heard.extend(records[cut..].iter().map(|record| said(&mut judge, record)));
        let expected = ["accepted", "accepted", "accepted", "accepted", "too_late"];
        assert_eq!(heard, expected, "saved after {cut}");
    }
}
