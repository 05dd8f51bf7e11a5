use schemas::event::Topic;
use schemas::time::DurationMs;

use super::*;
use crate::publisher::fixture::{ZONE, day, demand, metric, sales, start, topics};
use crate::time::fixture::ms;

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
fn a_window_wants_a_round_once_its_clock_has_passed_its_end_and_again_when_it_changes() {
    let metrics = [demand()];
    let mut planner = Planner::default();
    planner.touch(&metrics, "demand", &[day("2026-01-07")]);
    let changed = |planner: &Planner, clock: TimestampMs| -> Vec<&'static str> {
        let clocks = Clocks::from([(Topic::Orders.into(), clock)]);
        let keys = planner.changed(ZONE, &clocks);
        keys.iter().map(|key| key.window.kind.as_str()).collect()
    };
    let end = start("2026-01-08");
    assert!(changed(&planner, end - ms(1)).is_empty());
    assert_eq!(changed(&planner, end), ["D1"]);
    assert_eq!(changed(&planner, start("2026-01-12")), ["D1", "W1"]);

    let key = RoundKey {
        clock: Topic::Orders.into(),
        window: WindowKind::D1.reading(day("2026-01-07"), 0)[0],
    };
    planner.opened(&key, end);
    assert!(changed(&planner, end).is_empty(), "nothing new");
    planner.touch(&metrics, "demand", &[day("2026-01-07")]);
    assert_eq!(changed(&planner, end), ["D1"]);
}

#[test]
fn changed_windows_of_a_kind_come_in_the_order_of_their_ends_and_without_others() {
    let metrics = [demand(), sales()];
    let mut planner = Planner::default();
    for (metric, on) in [
        ("demand", "2026-01-20"),
        ("sales", "2026-01-01"),
        ("demand", "1999-12-31"),
        ("demand", "2026-01-07"),
    ] {
        planner.touch(&metrics, metric, &[day(on)]);
    }
    let changed = |clock: TopicSet, kind| -> Vec<String> {
        let keys = planner.changed_of(clock, kind);
        keys.map(|key| key.window.first.date().to_string())
            .collect()
    };
    let orders = Topic::Orders.into();
    assert_eq!(
        changed(orders, WindowKind::D1),
        ["1999-12-31", "2026-01-07", "2026-01-20"]
    );
    assert_eq!(
        changed(orders, WindowKind::W1),
        ["1999-12-27", "2026-01-05", "2026-01-19"]
    );
    assert_eq!(changed(sales().clock, WindowKind::W1), ["2025-12-29"]);
    assert_eq!(changed(sales().clock, WindowKind::MO), [] as [&str; 0]);
}
