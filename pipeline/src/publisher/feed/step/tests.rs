use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};

use super::super::cell::{Cell, Cells};
use super::super::definition::{CalendarDay, SERIES, ZERO_FILLED};
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
        calendar: Arc::new(|_| CalendarDay::default()),
        topic: Some("feeds.demand.v1".to_owned()),
    }
}

fn table() -> SchemaRef {
    let instant = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new(SERIES, DataType::Utf8, false),
        Field::new("ds", DataType::Date32, false),
        Field::new("y", DataType::Int64, true),
        Field::new(ZERO_FILLED, DataType::Boolean, false),
        Field::new("revision", DataType::Int32, false),
        Field::new("as_of", instant, false),
        Field::new(COUNT, DataType::Int64, false),
    ]))
}

fn day_of(series: &[(&str, i64)]) -> Cells {
    let cell = |y: i64| Cell {
        values: vec![Some(y)],
        flag: false,
        starts: y > 0,
    };
    series
        .iter()
        .map(|(name, y)| ((*name).to_owned(), cell(*y)))
        .collect()
}

/// The grid that a reader of all revisions ends up with.
fn read(steps: &[Vec<(Day, Cells)>], last: i32) -> BTreeMap<(String, i32), i64> {
    let (feed, mut grid, mut published) = (feed(), FeedGrid::default(), Published::default());
    let mut held = BTreeMap::new();
    for (index, updates) in steps.iter().enumerate() {
        for (day, cells) in updates {
            grid.update(*day, cells.clone());
        }
        grid.complete(Day(last));
        let step = step(
            &feed,
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
    let (feed, mut grid, mut published) = (feed(), FeedGrid::default(), Published::default());
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
            &feed,
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

#[test]
fn k25_a_value_that_has_left_bigint_is_null_until_it_is_back() {
    let (feed, mut grid, published) = (feed(), FeedGrid::default(), Published::default());
    let mut cells = day_of(&[("A", 1)]);
    for (y, text, rows_n) in [(None, "null", 1), (Some(7), "7", 0)] {
        if let Some(cell) = cells.get_mut("A") {
            cell.values = vec![y];
        }
        grid.update(Day(1), cells.clone());
        grid.complete(Day(1));
        let step = step(
            &feed,
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
