use std::time::Duration;

use schemas::event::Limits;
use schemas::time::DurationMs;

use super::*;
use crate::decode::{Counters, Partitioner, TopicSettings};
use crate::kafka::TopicId;
use crate::time::fixture::at;
use crate::time::{PartitionTime, TopicTime};

/// One shard of two, over `prices` partitions of the global topic.
fn settings(prices: u32) -> ShardSettings {
    let time = TopicTime {
        out_of_orderness: DurationMs::MINUTE,
        allowed_lateness: DurationMs::from_days(2),
        idle_after: DurationMs::MINUTE,
        max_jump: DurationMs::from_days(31),
    };
    let topics = Topic::ALL.map(|topic| TopicSettings {
        topic,
        name: topic.default_topic().to_owned(),
        time,
    });
    ShardSettings {
        shard: 1,
        shards: 2,
        global_partitions: prices,
        topics: topics.to_vec(),
        limits: Limits {
            max_future_skew: DurationMs::MINUTE,
            max_record_bytes: 1_000,
        },
        partitioner: Partitioner::Murmur2,
        seal_every: Duration::from_secs(1),
        seal_records: 100,
        seal_bytes: 100,
        heartbeat: Duration::from_secs(60),
        checkpoint_every: 10,
        checkpoint_dead_letter_bytes: usize::MAX,
        dead_letter_stop_ratio: 0.5,
    }
}

fn inputs(prices: u32, sealed: Option<(&[InputSeal], &[SavedIds])>) -> Result<ShardInputs> {
    ShardInputs::new(&settings(prices), sealed, None, BTreeSet::new())
}

/// Every input with an offset, an identity and counters of its own.
fn read(mut inputs: ShardInputs) -> ShardInputs {
    for (number, input) in (1..).zip(&mut inputs.all) {
        input.next_offset = number * 100;
        input.identity = TopicId::of_bits(number as u128).map(InputIdentity::Topic);
        let counters = Counters {
            read: number as u64,
            dead: number as u64,
            ..Counters::default()
        };
        let mut time = PartitionTime::default();
        time.advance("C1", at(number), &settings(0).topics[0].time);
        input.judge.restore(&time, counters);
        input.judge.remember(&format!("e{number}"), at(number));
    }
    inputs
}

#[test]
fn k38_inputs_are_matched_by_topic_and_partition_and_never_by_position() {
    let before = read(inputs(3, None).unwrap());
    let (mut seals, mut known_ids) = (before.seals(), before.known_ids());
    let wanted = seals.clone();
    seals.reverse();
    known_ids.reverse();
    let restored = inputs(3, Some((&seals, &known_ids))).unwrap();
    assert_eq!(restored.seals(), wanted);
    assert_eq!(restored.known_ids(), before.known_ids());
    let starts = restored.starts();
    for (start, seal) in starts.iter().zip(&wanted) {
        let InputSeal {
            input,
            next_offset,
            identity,
            ..
        } = seal;
        assert_eq!(
            *start,
            Start::sealed(input.clone(), *next_offset, *identity)
        );
    }
}

#[test]
fn f16_a_partition_of_prices_that_has_appeared_begins_and_is_accounted_for_by_one_shard() {
    let before = read(inputs(2, None).unwrap());
    let (seals, known_ids) = (before.seals(), before.known_ids());
    let mut restored = inputs(4, Some((&seals, &known_ids))).unwrap();
    let new = &restored.seals()[seals.len()..];
    let partitions: Vec<(i32, bool)> = new
        .iter()
        .map(|seal| (seal.input.partition, seal.accounted))
        .collect();
    assert_eq!(partitions, [(2, false), (3, true)]);
    let starts = restored.starts();
    assert!(starts[seals.len()..].iter().all(Start::is_first));

    // while it runs: nobody waits for the end of what was not there at start
    let id = TopicPartition::new("prices.v1", 5);
    restored.appear(&settings(4), id.clone()).unwrap();
    let last = restored.all.last().unwrap();
    assert_eq!((&last.id, last.is_accounted), (&id, true));
    assert!(last.has_reached_stop_offset);
}

#[test]
fn f16_a_partition_of_prices_that_was_read_and_is_gone_is_missing() {
    let before = read(inputs(3, None).unwrap());
    let (mut seals, known_ids) = (before.seals(), before.known_ids());
    let error = inputs(2, Some((&seals, &known_ids))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::EventsMissing);
    assert!(error.to_string().contains("input=prices.v1/2"), "{error}");
    // nothing was read of it: nothing is lost
    seals.last_mut().unwrap().next_offset = 0;
    let restored = inputs(2, Some((&seals, &known_ids))).unwrap();
    assert_eq!(restored.all.len(), seals.len() - 1);
}
