use super::*;

fn feed() -> FeedDefinition {
    FeedDefinition {
        name: "demand_daily".to_owned(),
        metric: "demand_orders".to_owned(),
        sql: String::new(),
        values: vec!["y".to_owned()],
        flag: "censored".to_owned(),
        calendar: Arc::new(|_| DayKind::default()),
        topic: Some("feeds.demand.v1".to_owned()),
    }
}

fn table() -> SchemaRef {
    let instant = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new(SERIES, DataType::Utf8, false),
        Field::new("ds", DataType::Date32, false),
        Field::new("y", DataType::Int64, false),
        Field::new(ZERO_FILLED, DataType::Boolean, false),
        Field::new("revision", DataType::Int32, false),
        Field::new("as_of", instant, false),
        Field::new(COUNT, DataType::Int64, false),
    ]))
}

fn day_of(series: &[(&str, i64)]) -> Cells {
    let cell = |y: i64| Cell {
        values: vec![y],
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
        let step = step(&feed, &mut grid, &published, &table(), index as i64 + 1, 0).unwrap();
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
