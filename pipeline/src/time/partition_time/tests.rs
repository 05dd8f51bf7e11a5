use proptest::prelude::*;
use schemas::time::DurationMs;

use super::*;
use crate::time::fixture::ms;

const SETTINGS: TopicTime = TopicTime {
    out_of_orderness: DurationMs::MINUTE,
    allowed_lateness: DurationMs::from_days(2),
    idle_after: DurationMs::from_secs(30),
    max_jump: DurationMs::from_days(31),
};

fn day(number: i64) -> TimestampMs {
    TimestampMs::from_ms(0) + DurationMs::from_days(number)
}

/// The time of a partition after these records, each met and accepted: key and day.
fn after(records: &[(&str, i64)]) -> PartitionTime {
    let mut time = PartitionTime::default();
    for &(key, number) in records {
        time.meet(key, day(number), &SETTINGS);
        time.advance(key, day(number), &SETTINGS);
    }
    time
}

#[test]
fn k41_a_jump_of_max_jump_moves_and_a_farther_one_waits_for_a_second_key() {
    let table: [(&[(&str, i64)], i64); 12] = [
        (&[("A", 0), ("A", 31)], 31),
        (&[("A", 0), ("A", 32)], 0),
        (&[("A", 0), ("A", 32), ("A", 33), ("A", 900)], 0),
        (&[("A", 0), ("A", 900), ("A", 40), ("B", 500)], 500),
        (&[("A", 0), ("A", 40), ("B", 900)], 40),
        // The key that is farther ahead is pending still: a third one finds it.
        (&[("A", 0), ("A", 40), ("B", 900), ("C", 800)], 800),
        (&[("A", 0), ("A", 40), ("B", 900), ("B", 950)], 40),
        (&[("A", 0), ("A", 40), ("B", 40)], 40),
        // What the highest reaches is pending no more.
        (&[("A", 0), ("A", 40), ("B", 20), ("B", 41), ("B", 80)], 41),
        // A step at a time needs no witness, whoever takes it.
        (&[("A", 0), ("A", 31), ("A", 62), ("A", 93)], 93),
        // Within reach of a move that was witnessed.
        (&[("A", 0), ("A", 40), ("B", 900), ("A", 71)], 71),
        (&[("A", 0), ("A", 40), ("B", 900), ("A", 72)], 72),
    ];
    for (records, highest) in table {
        assert_eq!(after(records).highest(), Some(day(highest)), "{records:?}");
    }
}

#[test]
fn k41_a_first_record_far_above_the_first_of_another_key_is_replaced() {
    let table: [(&[(&str, i64)], i64); 8] = [
        (&[("A", 900), ("B", 0)], 0),
        (&[("A", 31), ("B", 0)], 31),
        (&[("A", 32), ("B", 0)], 0),
        (&[("A", 900), ("A", 910), ("A", 890), ("B", 0)], 0),
        // What was replaced is pending, with its greatest.
        (&[("A", 900), ("A", 910), ("B", 0), ("C", 950)], 910),
        (&[("A", 900), ("A", 910), ("B", 0), ("A", 990)], 0),
        // The second key decides; a third one has no say.
        (&[("A", 900), ("B", 899), ("C", 0)], 900),
        // The first record is what counts, not how far its key has come since.
        (&[("A", 30), ("A", 60), ("B", 0)], 60),
    ];
    for (records, highest) in table {
        assert_eq!(after(records).highest(), Some(day(highest)), "{records:?}");
    }
    let replaced = after(&[("A", 900), ("B", 0)]);
    assert_eq!(replaced.limit(), Some(SETTINGS.limit(day(0))));
}

#[test]
fn k44_other_settings_raise_the_limit_and_never_lower_it() {
    let mut time = after(&[("A", 10)]);
    let limit = SETTINGS.limit(day(10));
    let with_lateness = |allowed_lateness| TopicTime {
        allowed_lateness,
        ..SETTINGS
    };
    let generous = with_lateness(DurationMs::from_days(30));
    time.adopt(&generous);
    assert_eq!(time.limit(), Some(limit));
    time.advance("A", day(11), &generous);
    assert_eq!(time.limit(), Some(limit));
    time.advance("A", day(39), &generous);
    assert_eq!(time.limit(), Some(generous.limit(day(39))));
    let strict = with_lateness(ms(0));
    time.adopt(&strict);
    assert_eq!(time.limit(), Some(strict.limit(day(39))));
    let mut empty = PartitionTime::default();
    empty.adopt(&strict);
    assert_eq!(empty.limit(), None);
}

proptest! {
    /// One key alone, whatever it sends, leaves the partition within `max_jump` of the others.
    #[test]
    fn k41_one_key_never_moves_time_far(wrong in prop::collection::vec(0..40_000_i64, 1..40), right in 1..40_i64) {
        let mut time = after(&[("A", 0), ("B", 0)]);
        for at in wrong {
            let highest = time.highest().unwrap();
            time.advance("A", day(at), &SETTINGS);
            prop_assert!(time.highest().unwrap() - highest <= SETTINGS.max_jump);
        }
        let highest = time.highest().unwrap();
        time.advance("B", day(right), &SETTINGS);
        let moved = time.highest().unwrap() - highest;
        prop_assert!(moved <= SETTINGS.max_jump || day(right) - highest > SETTINGS.max_jump);
    }

    /// At most one key is pending, and it lies above the highest; neither highest nor limit goes back once two keys have come.
    #[test]
    fn k41_time_goes_on(records in prop::collection::vec((0..4_usize, 0..400_i64), 2..60)) {
        let mut time = after(&[("A", 200), ("B", 200)]);
        for (key, at) in records {
            let before = time.clone();
            let key = ["A", "B", "C", "D"][key];
            time.meet(key, day(at), &SETTINGS);
            time.advance(key, day(at), &SETTINGS);
            prop_assert!(time.highest() >= before.highest() && time.limit() >= before.limit());
            if let Some(pending) = &time.pending {
                prop_assert!(Some(pending.occurred_at) > time.highest());
            }
        }
    }
}
