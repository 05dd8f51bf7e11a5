#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn days(of: &[(&str, i32)], gap: i32) -> SeriesDays {
    let mut days = SeriesDays::default();
    days.set_max_gap_days(gap);
    for (series, day) in of {
        days.set(series, Day(*day), true);
    }
    days
}

fn covered(days: &SeriesDays, from: i32, last: i32) -> Vec<i32> {
    let covered = days.covered(Day(from), Day(last));
    covered.map(|day| day.0).collect()
}

#[test]
fn k43_a_day_with_demand_is_followed_by_so_many_days_and_no_more() {
    let days = days(&[("a", 10), ("a", 12), ("a", 30), ("b", 11)], 3);
    assert_eq!(
        covered(&days, i32::MIN, 31),
        [10, 11, 12, 13, 14, 15, 30, 31]
    );
    assert_eq!(covered(&days, 14, 30), [14, 15, 30]);
    assert_eq!(covered(&days, 16, 29), [] as [i32; 0]);
    assert_eq!(covered(&days, 40, 20), [] as [i32; 0]);
    let names = |day| days.covering(Day(day)).cloned().collect::<Vec<_>>();
    assert_eq!(names(14), ["a", "b"]);
    assert_eq!(names(15), ["a"]);
    assert_eq!(names(16), [] as [&str; 0]);
}

#[test]
fn k43_eight_thousand_years_between_two_days_cost_nothing() {
    let days = days(&[("a", 10_957), ("a", 2_932_531)], 400);
    assert_eq!(
        covered(&days, i32::MIN, 2_932_896).len(),
        401 + 2_932_896 - 2_932_531 + 1
    );
}

proptest! {
    #[test]
    fn covered_days_are_those_of_the_plain_rule_and_changes_name_each_that_comes_or_goes(
        gap in 0..6_i32,
        steps in vec((0..3_usize, 0..30_i32, any::<bool>()), 0..30),
    ) {
        let names = ["a", "b", "c"];
        let mut days = days(&[], gap);
        let mut plain: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        let covers = |of: &BTreeSet<i32>, day: i32| of.range(day - gap..=day).next().is_some();
        for (series, day, has_demand) in steps {
            let name = names[series];
            let of_series = plain.entry(name).or_default();
            let before = of_series.clone();
            if has_demand {
                of_series.insert(day);
            } else {
                of_series.remove(&day);
            }
            let changed = days.set(name, Day(day), has_demand);
            for day in -1..40 {
                let is_other = covers(&before, day) != covers(of_series, day);
                prop_assert_eq!(changed.contains(&Day(day)), is_other, "{} {}", name, day);
            }
        }
        let expected: Vec<i32> = (-1..40)
            .filter(|day| plain.values().any(|of| covers(of, *day)))
            .collect();
        prop_assert_eq!(covered(&days, -1, 39), expected);
        let from_the_middle: Vec<i32> = (7..22)
            .filter(|day| plain.values().any(|of| covers(of, *day)))
            .collect();
        prop_assert_eq!(covered(&days, 7, 21), from_the_middle);
    }
}
