#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::datatypes::Schema;
use schemas::event::Topic;
use schemas::time::TimestampMs;

use super::*;
use crate::time::TopicTime;
use crate::time::fixture::{at, ms};

const ZONE: Zone = Zone(chrono_tz::Asia::Shanghai);

/// A metric that reads its own panes.
fn metric(name: &str, clock: &[Topic], look_ahead_days: i32, windows: &[WindowKind]) -> Metric {
    Metric {
        name: name.to_owned(),
        title: name.to_owned(),
        facts: None,
        windows: windows.to_vec(),
        clock: TopicSet::of(clock),
        look_back_days: 0,
        look_ahead_days,
        stream: None,
        shard: None,
        public: None,
        reads_panes: BTreeSet::from([name.to_owned()]),
        reads_rows: BTreeSet::new(),
        reads_as_of: false,
        table: Arc::new(Schema::empty()),
        dimensions: Vec::new(),
    }
}

fn demand() -> Metric {
    metric(
        "demand",
        &[Topic::Orders],
        0,
        &[WindowKind::D1, WindowKind::W1],
    )
}

/// Sales between counts, which may close 14 days later.
fn sales() -> Metric {
    let clock = [Topic::Orders, Topic::Visits];
    metric("sales", &clock, 14, &[WindowKind::W1])
}

fn topics() -> Vec<TopicSettings> {
    let lateness = [
        (Topic::Orders, 2),
        (Topic::Visits, 7),
        (Topic::Complaints, 2),
    ];
    let topics = lateness.map(|(topic, days)| TopicSettings {
        topic,
        name: topic.default_topic().to_owned(),
        time: TopicTime {
            out_of_orderness: DurationMs::MINUTE,
            allowed_lateness: DurationMs::from_days(days),
            idle_after: DurationMs::MINUTE,
            max_jump: DurationMs::from_days(31),
        },
    });
    topics.into()
}

fn day(text: &str) -> Day {
    Day::from_date(text.parse().unwrap())
}

fn start(text: &str) -> TimestampMs {
    ZONE.start_of(day(text))
}

#[test]
fn k07_final_is_window_end_plus_look_ahead_plus_the_largest_lateness_of_the_topics_read() {
    assert_eq!(time_to_final(&demand(), &topics()), 2 * DurationMs::DAY);
    assert_eq!(
        time_to_final(&sales(), &topics()),
        (14 + 7) * DurationMs::DAY
    );

    // The window that ends on the 12th is final from the instant on at which the metric's own clock stands 21 days behind its end.
    let until = |clock| {
        let clocks = Clocks::from([
            (Topic::Orders.into(), TimestampMs::MAX),
            (sales().clock, clock),
        ]);
        final_until(&sales(), &clocks, &topics()).unwrap()
    };
    let end = start("2026-01-12");
    assert!(until(start("2026-02-02")) >= end);
    assert!(until(start("2026-02-02") - ms(1)) < end);
    // Nothing is final by a clock that nobody has seen.
    assert_eq!(final_until(&sales(), &Clocks::new(), &topics()), None);
}

#[test]
fn k07_a_drain_goes_to_the_last_of_all_windows_that_hold_a_fact() {
    let metrics = [demand(), sales()];
    let drained_to = |touched: &[(&str, &str)]| {
        let mut planner = Planner::default();
        // a shard each
        for (shard, (metric, on)) in (0..).zip(touched) {
            planner.holds(shard, [((*metric).to_owned(), day(on))].into());
        }
        planner.drain_instant(&metrics, ZONE, &topics())
    };
    assert_eq!(drained_to(&[]), None, "nothing to wait for");
    // Wednesday: its week ends on Monday the 12th, later than its day.
    let wednesday = ("demand", "2026-01-07");
    assert_eq!(drained_to(&[wednesday]), Some(start("2026-01-14")));
    // What came before it, and whichever came first, changes nothing.
    let monday = ("demand", "2026-01-05");
    for touched in [[wednesday, monday], [monday, wednesday]] {
        assert_eq!(drained_to(&touched), Some(start("2026-01-14")));
    }
    // The metric that waits longest decides, even for an earlier week, unless another's facts lie beyond that.
    let sold = ("sales", "2026-01-01");
    assert_eq!(drained_to(&[wednesday, sold]), Some(start("2026-01-26")));
    let far = ("demand", "2026-03-01");
    assert_eq!(drained_to(&[far, sold]), Some(start("2026-03-04")));
}

#[test]
fn k07_windows_that_hop_hold_a_fact_until_the_last_one_that_begins_before_it() {
    let hopping = [metric("margin", &[Topic::Orders], 0, &[WindowKind::H28])];
    let mut planner = Planner::default();
    planner.holds(0, [("margin".to_owned(), day("2026-01-05"))].into());
    // The last one begins on that Monday itself.
    assert_eq!(
        planner.drain_instant(&hopping, ZONE, &topics()),
        Some(start("2026-02-02") + 2 * DurationMs::DAY)
    );
    // Its only fact is retracted.
    planner.holds(0, BTreeMap::new());
    assert_eq!(planner.drain_instant(&hopping, ZONE, &topics()), None);
}

#[test]
fn a_window_is_due_once_its_clock_has_passed_its_end_and_again_when_it_changes() {
    let metrics = [demand()];
    let mut planner = Planner::default();
    planner.touch(&metrics, "demand", &[day("2026-01-07")]);
    let clocks = |clock: TimestampMs| Clocks::from([(Topic::Orders.into(), clock)]);
    let kinds = |keys: Vec<RoundKey>| -> Vec<&'static str> {
        keys.iter().map(|key| key.window.kind.as_str()).collect()
    };
    let changed = |planner: &Planner, clock| kinds(planner.changed(ZONE, &clocks(clock)));
    let due = |planner: &Planner, clock, now| {
        kinds(planner.due(ZONE, &clocks(clock), now, DurationMs::SECOND))
    };
    let end = start("2026-01-08");
    assert!(changed(&planner, end - ms(1)).is_empty());
    assert_eq!(due(&planner, end, at(0)), ["D1"]);
    assert_eq!(due(&planner, start("2026-01-12"), at(0)), ["D1", "W1"]);

    let key = RoundKey {
        clock: Topic::Orders.into(),
        window: WindowKind::D1.reading(day("2026-01-07"), 0)[0],
    };
    planner.opened(&key, at(5_000));
    assert!(changed(&planner, end).is_empty(), "nothing new");
    planner.touch(&metrics, "demand", &[day("2026-01-07")]);
    assert!(due(&planner, end, at(5_999)).is_empty(), "too soon");
    assert_eq!(due(&planner, end, at(6_000)), ["D1"]);
    assert_eq!(changed(&planner, end), ["D1"]);
}
