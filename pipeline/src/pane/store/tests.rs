use arrow::array::StringArray;
use arrow::datatypes::Decimal128Type;
use proptest::prelude::*;

use super::*;
use crate::history::WEIGHT;

fn facts(rows: &[(&str, i64, i32, i64)]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("sku_id", DataType::Utf8, false),
        Field::new("qty", DataType::Int64, false),
        Field::new(PANE, DataType::Date32, false),
        Field::new(WEIGHT, DataType::Int64, false),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))),
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.2))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.3))),
        ],
    )
    .unwrap()
}

#[tokio::test]
async fn what_is_taken_back_leaves_no_row() {
    let sql = "SELECT sku_id, SUM(qty) AS qty FROM facts.lines GROUP BY sku_id";
    let first = facts(&[
        ("a", 5, 1, 1),
        ("a", 7, 1, 1),
        ("b", 0, 1, 1),
        ("a", 1, 2, 1),
    ]);
    let plan = LinearPlan::new(sql, "lines", first.schema()).await.unwrap();
    let mut store = PaneStore::new(&plan).unwrap();
    for batch in [
        first,
        facts(&[("a", 5, 1, -1), ("a", 1, 2, -1), ("b", 3, 1, 1)]),
    ] {
        for sums in plan.run(batch).await.unwrap() {
            store.add(&sums).unwrap();
        }
    }
    let rows = store.read(Day(0)..Day(9)).unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&[rows])
        .unwrap()
        .to_string();
    assert_eq!(
        text.lines().skip(3).take(2).collect::<Vec<_>>(),
        [
            "| 1970-01-02 | a      | 7   | 1 |",
            "| 1970-01-02 | b      | 3   | 2 |",
        ],
        "{text}"
    );
    assert_eq!(store.take_touched().len(), 2);
    assert_eq!(store.len(), 2);
    let far = facts(&[("a", 1, 9_000, 1)]);
    for sums in plan.run(far).await.unwrap() {
        store.add(&sums).unwrap();
    }
    // K41: what lies beyond the limit is passed over
    let last = [0, 1, 8_999, 9_000].map(|limit| store.last_day(Day(limit)));
    assert_eq!(last, [None, Some(Day(1)), Some(Day(1)), Some(Day(9_000))]);
}

/// One fact: key, quantity, pane, weight.
type WeightedFact = (&'static str, i64, i32, i64);

/// (pane, key) → exact sum of quantity, of twice the quantity plus one, and number of facts, where there are facts.
fn model(facts: &[WeightedFact]) -> BTreeMap<(i32, &'static str), (i128, i128, i64)> {
    let mut sums = BTreeMap::new();
    for &(key, qty, pane, weight) in facts {
        let (of_qty, of_twice, n) = sums.entry((pane, key)).or_insert((0i128, 0i128, 0i64));
        *of_qty += i128::from(qty) * i128::from(weight);
        *of_twice += (2 * i128::from(qty) + 1) * i128::from(weight);
        *n += weight;
    }
    sums.retain(|_, (.., n)| *n != 0);
    sums
}

async fn store_of(batches: impl Iterator<Item = &[WeightedFact]>) -> PaneStore {
    let sql = "SELECT sku_id, SUM(qty) AS qty, SUM(2 * qty + 1) AS twice FROM facts.lines GROUP BY sku_id";
    let plan = LinearPlan::new(sql, "lines", facts(&[]).schema())
        .await
        .unwrap();
    let mut store = PaneStore::new(&plan).unwrap();
    for batch in batches {
        for sums in plan.run(facts(batch)).await.unwrap() {
            store.add(&sums).unwrap();
        }
    }
    store
}

fn sums_of(store: &PaneStore) -> Vec<(i32, String, i128, i128, i64)> {
    let rows = store.read(Day(0)..Day(9)).unwrap();
    let panes = rows.column(0).as_primitive::<Date32Type>();
    let keys = rows.column(1).as_string::<i32>();
    let decimal = |column: usize| rows.column(column).as_primitive::<Decimal128Type>();
    let n = rows.column(4).as_primitive::<Int64Type>();
    (0..rows.num_rows())
        .map(|row| {
            let (qty, twice) = (decimal(2).value(row), decimal(3).value(row));
            (
                panes.value(row),
                keys.value(row).to_owned(),
                qty,
                twice,
                n.value(row),
            )
        })
        .collect()
}

fn any_fact() -> impl Strategy<Value = WeightedFact> {
    let qty = prop_oneof![
        Just(i64::MAX),
        Just(i64::MIN),
        Just(i64::MAX - 1),
        Just(0),
        any::<i64>()
    ];
    let weight = prop_oneof![Just(1i64), Just(-1), Just(3), Just(-2)];
    (prop_oneof![Just("a"), Just("b")], qty, 1..3i32, weight)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn k25_sums_are_exact_wherever_batches_are_cut(
        facts in prop::collection::vec(any_fact(), 1..40),
        cuts in prop::collection::vec(1..7usize, 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = facts.as_slice();
        let mut batches = Vec::new();
        for cut in cuts {
            let (batch, after) = rest.split_at(cut.min(rest.len()));
            batches.push(batch);
            rest = after;
        }
        batches.push(rest);
        let store = runtime.block_on(store_of(batches.into_iter()));
        let expected: Vec<_> = model(&facts)
            .into_iter()
            .map(|((pane, key), (qty, twice, n))| (pane, key.to_owned(), qty, twice, n))
            .collect();
        prop_assert_eq!(sums_of(&store), expected);
    }
}

#[tokio::test]
async fn k25_an_overflow_ends_with_its_cause_and_leaves_nothing_wide() {
    let large: Vec<WeightedFact> =
        vec![("a", i64::MAX, 1, 1), ("a", i64::MAX, 1, 1), ("a", 5, 1, 1)];
    let mut taken_back = large.clone();
    taken_back[2].1 = 0;
    taken_back.iter_mut().for_each(|fact| fact.3 = -1);
    taken_back.truncate(2);
    let mut store = store_of([large.as_slice()].into_iter()).await;
    let max = i128::from(i64::MAX);
    assert_eq!(
        sums_of(&store),
        [(1, "a".to_owned(), 2 * max + 5, 4 * max + 13, 3)]
    );
    store = store_of([large.as_slice(), taken_back.as_slice()].into_iter()).await;
    assert_eq!(sums_of(&store), [(1, "a".to_owned(), 5, 11, 1)]);
    let sums = store.panes[&Day(1)].values().next().unwrap();
    assert!(matches!(sums, Sums::Narrow(_)), "{sums:?}");
}

#[tokio::test]
async fn k25_decimals_beyond_38_digits_come_back_too() {
    let schema = Schema::new(vec![
        Field::new("sku_id", DataType::Utf8, false),
        Field::new("fen", DataType::Decimal128(38, 6), false),
        Field::new(PANE, DataType::Date32, false),
        Field::new(WEIGHT, DataType::Int64, false),
    ]);
    let largest = 10i128.pow(38) - 1;
    let batch = |values: &[(i128, i64)]| {
        let n = values.len();
        let fen = Decimal128Array::from_iter_values(values.iter().map(|v| v.0));
        RecordBatch::try_new(
            Arc::new(schema.clone()),
            vec![
                Arc::new(StringArray::from(vec!["a"; n])),
                Arc::new(fen.with_precision_and_scale(38, 6).unwrap()),
                Arc::new(Date32Array::from(vec![1; n])),
                Arc::new(Int64Array::from_iter_values(values.iter().map(|v| v.1))),
            ],
        )
        .unwrap()
    };
    let sql =
        "SELECT sku_id, SUM(fen) AS fen, SUM(fen * 10) AS tenfold FROM facts.lines GROUP BY sku_id";
    let plan = LinearPlan::new(sql, "lines", Arc::new(schema.clone()))
        .await
        .unwrap();
    let mut store = PaneStore::new(&plan).unwrap();
    let beyond = decimal::BEYOND;
    for (values, expected) in [
        (vec![(largest, 1)], (largest, beyond)),
        (vec![(largest, 1), (7, 1)], (beyond, beyond)),
        (vec![(largest, -1)], (beyond, beyond)),
        (vec![(largest, -1)], (7, 70)),
    ] {
        for sums in plan.run(batch(&values)).await.unwrap() {
            store.add(&sums).unwrap();
        }
        let rows = store.read(Day(0)..Day(9)).unwrap();
        let raw = |column: usize| {
            rows.column(column)
                .as_primitive::<Decimal128Type>()
                .value(0)
        };
        assert_eq!((raw(2), raw(3)), expected);
    }
}
