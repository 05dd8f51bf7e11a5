use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::cell::{Cell, Cells};
use super::super::definition::{CalendarDay, SERIES, ZERO_FILLED};
use super::super::flags::FlagStore;
use super::super::grid::FeedChange;
use super::*;
use crate::pane::COUNT;
use crate::time::fixture::at;

fn feed() -> FeedDefinition {
    FeedDefinition {
        name: "demand_daily".to_owned(),
        metric: "demand_orders".to_owned(),
        sql: String::new(),
        values: vec!["y".to_owned()],
        flag: "censored".to_owned(),
        flags: Arc::new(NoStore),
        calendar: Arc::new(|_| CalendarDay::default()),
        topic: Some("feeds.demand.v1".to_owned()),
        max_gap_days: 400,
        is_on: true,
    }
}

/// The steps are given their flags.
struct NoStore;

#[async_trait]
impl FlagStore for NoStore {
    async fn flags(&self, reference: &str) -> Result<Arc<dyn SeriesFlags>> {
        panic!("asked for {reference}")
    }
}

/// Flags that are set on every day from this one on.
#[derive(Debug)]
struct FlagsFrom {
    first: Day,
    version: String,
}

impl FlagsFrom {
    fn day(first: i32) -> Self {
        let version = format!("from day {first}");
        Self {
            first: Day(first),
            version,
        }
    }

    fn never() -> Self {
        Self::day(i32::MAX)
    }
}

impl SeriesFlags for FlagsFrom {
    fn version(&self) -> &str {
        &self.version
    }

    fn is_set(&self, _series: &str, day: Day) -> bool {
        day >= self.first
    }
}

fn grid(max_gap_days: i32) -> FeedGrid {
    let mut grid = FeedGrid::default();
    grid.set_max_gap(max_gap_days);
    grid
}

fn table() -> SchemaRef {
    let instant = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new(SERIES, DataType::Utf8, false),
        Field::new("ds", DataType::Date32, false),
        Field::new("y", DataType::Int64, true),
        Field::new("censored", DataType::Boolean, false),
        Field::new(ZERO_FILLED, DataType::Boolean, false),
        Field::new("revision", DataType::Int32, false),
        Field::new("as_of", instant, false),
        Field::new(COUNT, DataType::Int64, false),
    ]))
}

fn day_of(series: &[(&str, i64)]) -> Cells {
    let cell = |y: i64| Cell {
        values: vec![Some(y)],
        // As in the queries: only days with demand say anything of it.
        flag: (y > 0).then_some(y > 100),
        starts: y > 0,
    };
    series
        .iter()
        .map(|(name, y)| ((*name).to_owned(), cell(*y)))
        .collect()
}

/// The grid that a reader of all revisions ends up with.
fn read(steps: &[Vec<(Day, Cells)>], last: i32) -> BTreeMap<(String, i32), i64> {
    let (feed, mut grid, mut published) = (feed(), grid(400), Published::default());
    let mut held = BTreeMap::new();
    for (index, updates) in steps.iter().enumerate() {
        for (day, cells) in updates {
            grid.update(*day, cells.clone());
        }
        grid.complete(Day(last));
        let step = step(
            (&feed, &FlagsFrom::never()),
            &mut grid,
            &published,
            &table(),
            (index as i64 + 1, at(0)),
            None,
        )
        .unwrap();
        for (metric, window, keys) in step.published {
            published.accept(&metric, window, keys);
        }
        for record in step.records {
            let key = String::from_utf8(record.key.unwrap().into()).unwrap();
            let (series, ds) = key.split_once('|').unwrap();
            let day = Day::from_date(ds.parse().unwrap());
            let key = (series.to_owned(), day.0);
            match record.value {
                Some(value) => {
                    let body: serde_json::Value = serde_json::from_slice(&value).unwrap();
                    held.insert(key, body["y"].as_i64().unwrap());
                }
                None => drop(held.remove(&key)),
            }
        }
    }
    held
}

#[test]
fn a_series_runs_without_gaps_from_its_first_day_to_the_last_complete_one() {
    let grid = read(
        &[vec![
            (Day(1), day_of(&[("a", 5)])),
            (Day(3), day_of(&[("b", 2)])),
        ]],
        4,
    );
    let a: Vec<i64> = (1..=4).map(|day| grid[&("a".to_owned(), day)]).collect();
    assert_eq!(a, [5, 0, 0, 0]);
    assert_eq!(grid.len(), 6);
}

#[test]
fn how_late_a_fact_comes_does_not_matter() {
    let at_once = read(
        &[vec![
            (Day(1), day_of(&[("a", 0)])),
            (Day(2), day_of(&[("a", 3), ("b", 1)])),
        ]],
        5,
    );
    let corrected = read(
        &[
            vec![(Day(1), day_of(&[("a", 7)]))],
            vec![(Day(2), day_of(&[("b", 1)]))],
            vec![
                (Day(1), day_of(&[("a", 0)])),
                (Day(2), day_of(&[("a", 3), ("b", 1)])),
            ],
        ],
        5,
    );
    assert_eq!(at_once, corrected);
    assert!(!corrected.contains_key(&("a".to_owned(), 1)));
}

#[test]
fn a_day_is_final_once_and_restated_when_it_changes_after_that() {
    let (feed, mut grid, mut published) = (feed(), grid(400), Published::default());
    let mut said = Vec::new();
    let first = vec![(Day(1), day_of(&[("a", 5)])), (Day(2), day_of(&[("a", 1)]))];
    // only complete days are final, however far the clock has come
    let steps = [
        (first, Day(2)),
        (Vec::new(), Day(9)),
        (vec![(Day(1), day_of(&[("a", 4)]))], Day(9)),
    ];
    for (updates, final_before) in steps {
        for (day, cells) in updates {
            grid.update(day, cells);
        }
        grid.complete(Day(3));
        let at = (1, at(0));
        let step = step(
            (&feed, &FlagsFrom::never()),
            &mut grid,
            &published,
            &table(),
            at,
            Some(final_before),
        )
        .unwrap();
        for (metric, window, keys) in step.published {
            published.accept(&metric, window, keys);
        }
        let controls = &step.records[step.records.len() - step.status.len()..];
        for (row, record) in step.status.iter().zip(controls) {
            assert_eq!(record.key, Some(format!("control|{}", row.ds).into()));
        }
        said.extend(step.status);
    }
    let found: Vec<_> = said
        .iter()
        .map(|row| (row.ds.as_str(), row.control, row.rows, row.sequence))
        .collect();
    assert_eq!(
        found,
        [
            ("1970-01-02", "final", 1, 4),
            ("1970-01-03", "final", 1, 5),
            ("1970-01-04", "final", 1, 6),
            ("1970-01-02", "restated", 1, 8),
        ]
    );
    // sha256sum of "a|1970-01-02|5|false|false\n"
    assert_eq!(
        said[0].checksum,
        "53e2e92bd9ef679d40788877a2e0d6edbede380c62e6dc878fa8c3b09a130319"
    );
    assert_ne!(said[3].checksum, said[0].checksum);
}

/// A feed, and what a reader of its topic holds.
struct Read {
    feed: FeedDefinition,
    grid: FeedGrid,
    flags: FlagsFrom,
    published: Published,
    held: BTreeMap<(String, i32), i64>,
    flagged: BTreeMap<(String, i32), bool>,
    finals: Vec<String>,
    /// As intents hold them.
    changes: Vec<FeedChange>,
}

impl Read {
    fn new(max_gap_days: i32) -> Self {
        Self {
            feed: feed(),
            grid: grid(max_gap_days),
            flags: FlagsFrom::never(),
            published: Published::default(),
            held: BTreeMap::new(),
            flagged: BTreeMap::new(),
            finals: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// An epoch with these days; `last` is the last complete day of a feed that is on.
    fn epoch(&mut self, days: Vec<(Day, Cells)>, last: Option<Day>) {
        for (day, cells) in &days {
            self.grid.update(*day, cells.clone());
        }
        if let Some(last) = last {
            self.grid.set_flags(self.flags.version());
            self.grid.complete(last);
            self.step(last.plus(1));
        }
        self.changes.push(self.grid.change(days));
    }

    fn step(&mut self, final_before: Day) {
        let step = step(
            (&self.feed, &self.flags),
            &mut self.grid,
            &self.published,
            &table(),
            (1, at(0)),
            Some(final_before),
        )
        .unwrap();
        for (metric, window, keys) in step.published {
            self.published.accept(&metric, window, keys);
        }
        for record in step.records {
            let key = String::from_utf8(record.key.unwrap().into()).unwrap();
            let (series, ds) = key.split_once('|').unwrap();
            if series == "control" {
                continue;
            }
            let key = (series.to_owned(), Day::from_date(ds.parse().unwrap()).0);
            match record.value {
                Some(value) => {
                    let body: serde_json::Value = serde_json::from_slice(&value).unwrap();
                    let flag = body["censored"].as_bool().unwrap();
                    self.flagged.insert(key.clone(), flag);
                    self.held.insert(key, body["y"].as_i64().unwrap());
                }
                None => {
                    self.flagged.remove(&key);
                    self.held.remove(&key);
                }
            }
        }
        let finals = step.status.into_iter().filter(|row| row.control == "final");
        self.finals.extend(finals.map(|row| row.ds));
    }

    /// The process ends and starts again: the grid comes from its intents.
    fn restart(&mut self, max_gap_days: i32) {
        let mut restored = FeedGrid::default();
        for change in &self.changes {
            restored.restore(change);
        }
        restored.set_max_gap(max_gap_days);
        self.grid = restored;
    }
}

#[test]
fn k43_zeros_end_with_the_largest_gap_and_begin_again_with_demand() {
    let mut read = Read::new(2);
    read.epoch(
        vec![
            (Day(1), day_of(&[("a", 5)])),
            // delivered beyond the gap: no row, as before the first demand
            (Day(6), day_of(&[("a", 0)])),
            (Day(2_900_000), day_of(&[("a", 1)])),
        ],
        Some(Day(2_900_001)),
    );
    let days = |read: &Read| -> Vec<i32> { read.held.keys().map(|(_, day)| *day).collect() };
    assert_eq!(days(&read), [1, 2, 3, 2_900_000, 2_900_001]);
    assert_eq!(read.finals.len(), 5, "{:?}", read.finals);
    // Demand that came late, between the two.
    read.epoch(vec![(Day(4), day_of(&[("a", 1)]))], Some(Day(2_900_001)));
    assert_eq!(days(&read), [1, 2, 3, 4, 5, 6, 2_900_000, 2_900_001]);
    // It is corrected away again.
    read.epoch(vec![(Day(4), Cells::new())], Some(Day(2_900_001)));
    assert_eq!(days(&read), [1, 2, 3, 2_900_000, 2_900_001]);
}

#[test]
fn k41_days_with_facts_are_looked_for_up_to_a_limit() {
    let mut grid = grid(400);
    for day in [1, 5, 90_000] {
        grid.update(Day(day), day_of(&[("a", 1)]));
    }
    grid.update(Day(7), Cells::new());
    let last = [0, 4, 9, 90_000].map(|limit| grid.last_day(Day(limit)));
    assert_eq!(last, [None, Some(Day(1)), Some(Day(5)), Some(Day(90_000))]);
}

#[test]
fn a_page_of_rows_leaves_the_rest_to_the_next_epoch_and_none_of_it_is_final_before() {
    let mut read = Read::new(2);
    read.feed.topic = None;
    let series: Vec<String> = (0..30_000).map(|number| format!("S{number:05}")).collect();
    let demand: Vec<(&str, i64)> = series.iter().map(|name| (name.as_str(), 1)).collect();
    read.epoch(vec![(Day(1), day_of(&demand))], Some(Day(3)));
    assert!(read.grid.has_pending());
    assert_eq!(read.finals, ["1970-01-02", "1970-01-03"]);
    // A crash in between loses nothing of it.
    read.restart(2);
    read.epoch(Vec::new(), Some(Day(3)));
    assert!(!read.grid.has_pending());
    assert_eq!(read.finals, ["1970-01-02", "1970-01-03", "1970-01-04"]);
}

/// A step of a feed's life.
#[derive(Clone, Debug)]
enum Step {
    /// A round says that the series asked for so much on the day.
    Round(i32, [i64; 2]),
    Switch,
    Restart,
    Gap(i32),
    Complete(i32),
    /// Reference data set the flag from this day on.
    Flags(i32),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..20_i32, [0..3_i64, 0..3_i64]).prop_map(|(day, asked)| Step::Round(day, asked)),
        1 => Just(Step::Switch),
        1 => Just(Step::Restart),
        1 => (0..8_i32).prop_map(Step::Gap),
        2 => (0..25_i32).prop_map(Step::Complete),
        1 => (0..25_i32).prop_map(Step::Flags),
    ]
}

proptest! {
    #[test]
    fn switched_off_and_on_started_again_and_with_another_gap_it_ends_as_one_that_was_always_on(
        steps in vec(any_step(), 0..40),
    ) {
        let (mut gap, mut is_on, mut last) = (3, true, None);
        let mut read = Read::new(gap);
        let mut asked: BTreeMap<i32, [i64; 2]> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Round(day, of_day) => {
                    asked.insert(day, of_day);
                    let named = ["a", "b"].into_iter().zip(of_day);
                    // No row where there is no fact.
                    let cells: Vec<(&str, i64)> = named.filter(|(_, y)| *y > 0).collect();
                    read.epoch(vec![(Day(day), day_of(&cells))], last.filter(|_| is_on));
                }
                Step::Switch => is_on = !is_on,
                Step::Restart => read.restart(gap),
                Step::Gap(days) => {
                    gap = days;
                    read.restart(gap);
                }
                Step::Complete(day) => last = last.max(Some(Day(day))),
                Step::Flags(first) => read.flags = FlagsFrom::day(first),
            }
        }
        read.epoch(Vec::new(), last);
        let mut expected = BTreeMap::new();
        let complete = asked.keys().next().and(last).map_or(-1, |last| last.0);
        for (index, name) in ["a", "b"].into_iter().enumerate() {
            for day in 0..=complete {
                let of = |day: i32| asked.get(&day).map_or(0, |of_day| of_day[index]);
                if (day - gap..=day).any(|day| of(day) > 0) {
                    expected.insert((name.to_owned(), day), of(day));
                }
            }
        }
        prop_assert_eq!(&read.held, &expected);
        // Demand here is never flagged: reference data decide about the other days.
        let is_flagged = |day: i32, y: i64| y == 0 && Day(day) >= read.flags.first;
        let flagged: BTreeMap<_, _> = expected
            .into_iter()
            .map(|((name, day), y)| ((name, day), is_flagged(day, y)))
            .collect();
        prop_assert_eq!(&read.flagged, &flagged);
        let restored = {
            let before = read.grid.clone();
            read.restart(gap);
            before == read.grid
        };
        prop_assert!(restored, "the intents do not give the grid");
    }
}

#[test]
fn k27_facts_of_the_day_decide_about_the_flag_and_reference_data_where_they_say_nothing() {
    let mut read = Read::new(3);
    let days = vec![
        (Day(1), day_of(&[("a", 200)])),
        (Day(2), day_of(&[("a", 5), ("b", 0)])),
        // A fact that is no demand.
        (Day(3), day_of(&[("a", 0)])),
    ];
    let flags = |read: &Read| -> Vec<(i32, bool)> {
        let all = read.flagged.iter();
        all.map(|((_, day), flag)| (*day, *flag)).collect()
    };
    read.epoch(days, Some(Day(4)));
    assert_eq!(
        flags(&read),
        [(1, true), (2, false), (3, false), (4, false)]
    );
    assert_eq!(read.grid.sequence, 8, "four rows and four controls");

    // Other reference data, and the process starts again with them: days that are final are restated, and only those that change.
    read.restart(3);
    read.flags = FlagsFrom::day(2);
    read.epoch(Vec::new(), Some(Day(4)));
    assert_eq!(flags(&read), [(1, true), (2, false), (3, true), (4, true)]);
    assert_eq!(read.grid.sequence, 12, "two rows and two controls more");
    // The same again is nothing to make anew.
    read.grid.set_flags("from day 2");
    assert!(!read.grid.has_pending());
}

#[test]
fn k25_a_value_that_has_left_bigint_is_null_until_it_is_back() {
    let (feed, mut grid, published) = (feed(), grid(2), Published::default());
    let mut cells = day_of(&[("A", 1)]);
    for (y, text, rows_n) in [(None, "null", 1), (Some(7), "7", 0)] {
        if let Some(cell) = cells.get_mut("A") {
            cell.values = vec![y];
        }
        grid.update(Day(1), cells.clone());
        grid.complete(Day(1));
        let step = step(
            (&feed, &FlagsFrom::never()),
            &mut grid,
            &published,
            &table(),
            (1, at(0)),
            Some(Day(2)),
        )
        .unwrap();
        let column = step.rows[0].column_by_name("y").unwrap();
        assert_eq!(column.null_count(), usize::from(y.is_none()));
        let body = step.records[0].value.as_ref().unwrap();
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(body["y"].to_string(), text);
        let found: Vec<i64> = step
            .overflows
            .iter()
            .flat_map(|(_, of)| of.get("y"))
            .copied()
            .collect();
        assert_eq!(found, vec![1; rows_n]);
    }
}
