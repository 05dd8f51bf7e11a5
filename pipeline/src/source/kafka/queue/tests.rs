#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use schemas::time::TimestampMs;

use super::{BufferLimits, Buffers};
use crate::kafka::TopicPartition;
use crate::source::{InputNews, Item, Record, TimestampKind};
use crate::time::wall;

const NONE_YET: i64 = i64::MIN;

fn limits() -> BufferLimits {
    BufferLimits {
        records: 10,
        bytes: 1000,
        alignment: Duration::from_millis(100),
    }
}

fn record(input: usize, offset: i64, bytes: usize) -> Record {
    Record {
        input,
        offset,
        key: None,
        payload: Some(Bytes::from(vec![b'x'; bytes])),
        payload_len: bytes as u64,
        timestamp: None,
        timestamp_kind: TimestampKind::None,
        headers: Vec::new(),
    }
}

fn records(input: usize, offsets: std::ops::Range<i64>) -> Vec<Record> {
    offsets.map(|offset| record(input, offset, 1)).collect()
}

/// Stands for news of an input.
const NEWS: i64 = i64::MAX;

/// Records as (input, offset), ends as (input, -next_offset), news as (input, NEWS).
fn take(buffers: &mut Buffers, max: usize, watermarks: &[i64]) -> Vec<(usize, i64)> {
    let mut out = Vec::new();
    let watermarks: Vec<_> = watermarks
        .iter()
        .copied()
        .map(TimestampMs::from_ms)
        .collect();
    let any = buffers.take(max, &watermarks, &mut out);
    assert_eq!(any, !out.is_empty());
    out.iter()
        .map(|item| match item {
            Item::Record(record) => (record.input, record.offset),
            Item::End {
                input, next_offset, ..
            } => (*input, -next_offset),
            Item::News { input, .. } => (*input, NEWS),
        })
        .collect()
}

#[test]
fn room_is_bounded_in_records_and_bytes() {
    let mut buffers = Buffers::new(2, limits());
    assert_eq!(buffers.room(0), 10);
    buffers.push(0, records(0, 0..7));
    assert_eq!(buffers.room(0), 3);
    assert_eq!(buffers.room(1), 10);
    buffers.push(1, vec![record(1, 0, 999)]);
    assert_eq!(buffers.room(1), 9);
    buffers.push(1, vec![record(1, 1, 1)]);
    assert_eq!(buffers.room(1), 0, "full by bytes");
    take(&mut buffers, 4, &[0, 1]);
    assert_eq!(buffers.room(0), 7);
    take(&mut buffers, 4, &[1, 0]);
    assert_eq!(buffers.room(1), 10);
}

#[test]
fn the_input_furthest_behind_goes_first() {
    let mut buffers = Buffers::new(3, limits());
    for input in 0..3 {
        buffers.push(input, records(input, 0..2));
    }
    assert_eq!(take(&mut buffers, 1, &[30, 20, 10]), [(2, 0)]);
    assert_eq!(
        take(&mut buffers, 3, &[30, 20, 40]),
        [(1, 0), (1, 1), (0, 0)]
    );
}

#[test]
fn none_runs_ahead_of_an_input_that_may_have_something_earlier() {
    let mut buffers = Buffers::new(2, limits());
    buffers.push(0, records(0, 0..5));
    // input 1 has given nothing yet and is not at its end: one turn for input 0, then it waits
    assert_eq!(take(&mut buffers, 1, &[NONE_YET, NONE_YET]), [(0, 0)]);
    assert_eq!(take(&mut buffers, 1, &[500, NONE_YET]), []);
    // up to the alignment, not beyond
    assert_eq!(take(&mut buffers, 1, &[500, 400]), [(0, 1)]);
    assert_eq!(take(&mut buffers, 1, &[501, 400]), []);
    // at its end it holds nobody back
    buffers.reach_end(1, 9, wall::monotonic());
    assert_eq!(
        take(&mut buffers, 2, &[501, 400]),
        [(0, 2), (0, 3), (1, -9)]
    );
    // a new record and it does again
    buffers.push(1, records(1, 9..10));
    assert_eq!(take(&mut buffers, 9, &[501, 400]), [(1, 9)]);
    assert_eq!(take(&mut buffers, 9, &[501, 400]), []);
    assert_eq!(take(&mut buffers, 9, &[501, 401]), [(0, 4)]);
}

#[test]
fn an_end_comes_behind_its_records_and_once() {
    let mut buffers = Buffers::new(1, limits());
    let now = wall::monotonic();
    buffers.push(0, records(0, 0..3));
    buffers.reach_end(0, 4, now);
    assert!(buffers.unread(0));
    assert_eq!(buffers.ends(), [(0, 4)]);
    assert_eq!(take(&mut buffers, 2, &[0]), [(0, 0), (0, 1)]);
    assert!(buffers.unread(0));
    assert_eq!(take(&mut buffers, 2, &[0]), [(0, 2), (0, -4)]);
    assert!(!buffers.unread(0));
    assert_eq!(take(&mut buffers, 2, &[0]), []);
}

#[test]
fn f16_news_of_an_input_stand_between_its_records_and_hold_its_end_back() {
    let mut buffers = Buffers::new(1, limits());
    let missing = InputNews::Missing { from: 2, to: 7 };
    buffers.push(0, records(0, 0..2));
    buffers.reach_end(0, 2, wall::monotonic());
    buffers.announce(0, missing);
    assert_eq!(buffers.ends(), [], "what follows is not known yet");
    buffers.push(0, records(0, 7..8));
    let all = [(0, 0), (0, 1), (0, NEWS), (0, 7)];
    assert_eq!(take(&mut buffers, 9, &[0]), all);
    assert_eq!(buffers.room(0), 10, "news take no room once they are gone");
}

#[test]
fn f16_an_input_that_appears_holds_back_those_that_are_ahead_until_it_is_known() {
    let mut buffers = Buffers::new(1, limits());
    buffers.push(0, records(0, 0..2));
    buffers.add_lane();
    let id = TopicPartition::new("prices.v1", 1);
    buffers.announce(1, InputNews::Appeared(id));
    // its own watermark is not known to the caller yet
    assert_eq!(take(&mut buffers, 9, &[1_000_000]), [(1, NEWS)]);
    assert_eq!(take(&mut buffers, 9, &[1_000_000, i64::MIN]), []);
    buffers.reach_end(1, 0, wall::monotonic());
    assert_eq!(
        take(&mut buffers, 9, &[1_000_000, i64::MIN]),
        [(0, 0), (0, 1), (1, 0)]
    );
}

#[test]
fn an_end_is_confirmed_by_the_same_offset_only() {
    let mut buffers = Buffers::new(1, limits());
    let now = wall::monotonic();
    let at = |seconds| now + Duration::from_secs(seconds);
    let ends = |buffers: &mut Buffers| -> Vec<(i64, Instant)> {
        let mut out = Vec::new();
        buffers.take(9, &[TimestampMs::MIN], &mut out);
        out.iter()
            .filter_map(|item| match item {
                Item::End {
                    next_offset, at, ..
                } => Some((*next_offset, *at)),
                Item::Record(_) | Item::News { .. } => None,
            })
            .collect()
    };
    buffers.confirm_end(0, 4, at(0));
    assert_eq!(ends(&mut buffers), [], "no end was reached");
    buffers.reach_end(0, 4, at(1));
    assert_eq!(ends(&mut buffers), [(4, at(1))]);
    buffers.confirm_end(0, 5, at(2));
    assert_eq!(ends(&mut buffers), [], "a record is on its way");
    buffers.confirm_end(0, 4, at(3));
    assert_eq!(ends(&mut buffers), [(4, at(3))]);
    buffers.confirm_end(0, 4, at(2));
    assert_eq!(ends(&mut buffers), [], "an older answer says nothing new");
    // the question was asked before the record came, the answer arrives after it
    buffers.push(0, records(0, 4..5));
    buffers.confirm_end(0, 4, at(4));
    assert_eq!(ends(&mut buffers), []);
    assert!(buffers.unread(0));
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize, usize),
    End(usize),
    Take(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize, 1..6_usize).prop_map(|(input, count)| Step::Push(input, count)),
        (0..3_usize).prop_map(Step::End),
        (0..8_usize).prop_map(Step::Take),
    ]
}

proptest! {
    /// Whatever the interleaving: every input complete and in order, no end before the records it stands behind, no more
    /// held than there is room for, and nothing is stuck once every input is at its end.
    #[test]
    fn nothing_is_lost_doubled_or_stuck(steps in prop::collection::vec(step(), 1..60)) {
        let mut buffers = Buffers::new(3, limits());
        let mut pushed = [0_i64; 3];
        let mut taken = [0_i64; 3];
        let now = wall::monotonic();
        let check = |buffers: &mut Buffers, taken: &mut [i64; 3], max: usize| {
            // event time = 60 ms a record, so that alignment matters
            let watermarks = taken.map(|n| if n == 0 { NONE_YET } else { n * 60 }).map(TimestampMs::from_ms);
            let mut out = Vec::new();
            buffers.take(max, &watermarks, &mut out);
            let mut count = 0;
            for item in &out {
                match item {
                    Item::Record(record) => {
                        prop_assert_eq!(record.offset, taken[record.input]);
                        taken[record.input] += 1;
                        count += 1;
                    }
                    Item::End { input, next_offset, .. } => {
                        prop_assert_eq!(*next_offset, taken[*input]);
                        prop_assert!(!buffers.unread(*input));
                    }
                    Item::News { .. } => prop_assert!(false, "nothing was announced"),
                }
            }
            prop_assert!(count <= max);
            Ok(())
        };
        for step in steps {
            match step {
                Step::Push(input, count) => {
                    let count = count.min(buffers.room(input)) as i64;
                    buffers.push(input, records(input, pushed[input]..pushed[input] + count));
                    pushed[input] += count;
                    prop_assert!(pushed[input] - taken[input] <= 10);
                }
                Step::End(input) => buffers.reach_end(input, pushed[input], now),
                Step::Take(max) => check(&mut buffers, &mut taken, max)?,
            }
        }
        for (input, &next) in pushed.iter().enumerate() {
            buffers.reach_end(input, next, now);
        }
        for _ in 0..30 {
            check(&mut buffers, &mut taken, 4)?;
        }
        prop_assert_eq!(taken, pushed);
        prop_assert!((0..3).all(|input| !buffers.unread(input)));
    }
}
