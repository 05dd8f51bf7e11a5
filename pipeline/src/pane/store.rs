//! Sums per pane and key, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};

use super::linear::LinearPlan;
use crate::error::{Error, ErrorKind, Result};
use crate::history::PANE;
use crate::time::Day;

fn overflow(pane: Day, column: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "a sum of pane={} column={column} has left the range of its type",
            pane.date()
        ),
    )
}

fn not_columns(source: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "panes cannot be written as columns").caused_by(source)
}

type Sums = Box<[i128]>;

/// The panes of one metric: `pane` (DATE), keys, sums, `n`.
pub struct PaneStore {
    panes: BTreeMap<Day, HashMap<Box<[u8]>, Sums>>,
    touched: BTreeSet<Day>,
    converter: RowConverter,
    schema: SchemaRef,
    keys: usize,
}

impl PaneStore {
    pub fn new(plan: &LinearPlan) -> Result<Self> {
        let keys = plan.keys();
        let from = plan.schema().fields();
        let mut fields = vec![Arc::new(Field::new(PANE, DataType::Date32, false))];
        fields.extend(from[..keys].iter().cloned());
        fields.extend(from[keys + 2..].iter().cloned());
        let converter = RowConverter::new(
            from[..keys]
                .iter()
                .map(|field| SortField::new(field.data_type().clone()))
                .collect(),
        )
        .map_err(not_columns)?;
        Ok(Self {
            panes: BTreeMap::new(),
            touched: BTreeSet::new(),
            converter,
            schema: Arc::new(Schema::new(fields)),
            keys,
        })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds what a [`LinearPlan`] gave, times its weight.
    pub fn add(&mut self, sums: &RecordBatch) -> Result<()> {
        let keys = self
            .converter
            .convert_columns(&sums.columns()[..self.keys])
            .map_err(not_columns)?;
        let panes = sums.column(self.keys).as_primitive::<Date32Type>();
        let weights = sums.column(self.keys + 1).as_primitive::<Int64Type>();
        let values: Vec<Vec<i128>> = sums.columns()[self.keys + 2..].iter().map(widen).collect();
        for row in 0..sums.num_rows() {
            let day = Day(panes.value(row));
            let weight = i128::from(weights.value(row));
            self.touched.insert(day);
            let pane = self.panes.entry(day).or_default();
            let slot = pane
                .entry(keys.row(row).as_ref().into())
                .or_insert_with(|| vec![0; values.len()].into());
            for (sum, column) in slot.iter_mut().zip(&values) {
                *sum += weight * column[row];
            }
            // The last sum is the number of facts: a group without facts does not exist.
            if slot.last() == Some(&0) {
                pane.remove(keys.row(row).as_ref());
            }
            if pane.is_empty() {
                self.panes.remove(&day);
            }
        }
        Ok(())
    }

    /// The rows of the panes in `days`, sorted by pane and key.
    pub fn read(&self, days: Range<Day>) -> Result<RecordBatch> {
        let mut rows: Vec<(Day, &[u8], &Sums)> = self
            .panes
            .range(days)
            .flat_map(|(day, pane)| pane.iter().map(|(key, sums)| (*day, key.as_ref(), sums)))
            .collect();
        rows.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let parser = self.converter.parser();
        let keys = self
            .converter
            .convert_rows(rows.iter().map(|(_, key, _)| parser.parse(key)))
            .map_err(not_columns)?;
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(Date32Array::from_iter_values(
            rows.iter().map(|(day, ..)| day.0),
        ))];
        arrays.extend(keys);
        let sums = &self.schema.fields()[1 + self.keys..];
        for (index, field) in sums.iter().enumerate() {
            let values = rows.iter().map(|(day, _, sums)| (*day, sums[index]));
            arrays.push(narrow(field, values)?);
        }
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(not_columns)
    }

    /// Days whose sums have changed since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<Day> {
        std::mem::take(&mut self.touched)
    }

    /// The last day up to `limit` that holds a fact.
    pub fn last_day(&self, limit: Day) -> Option<Day> {
        let until = self.panes.range(..=limit);
        until.map(|(day, _)| *day).next_back()
    }

    /// Groups over all panes.
    pub fn len(&self) -> usize {
        self.panes.values().map(HashMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }
}

/// A NULL sum (SUM over NULLs only) adds nothing.
fn widen(column: &ArrayRef) -> Vec<i128> {
    match column.data_type() {
        DataType::Decimal128(..) => column
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(Option::unwrap_or_default)
            .collect(),
        _ => column
            .as_primitive::<Int64Type>()
            .iter()
            .map(|value| i128::from(value.unwrap_or_default()))
            .collect(),
    }
}

fn narrow(field: &Field, values: impl Iterator<Item = (Day, i128)>) -> Result<ArrayRef> {
    if let DataType::Decimal128(precision, scale) = field.data_type() {
        let array = Decimal128Array::from_iter_values(values.map(|(_, value)| value))
            .with_precision_and_scale(*precision, *scale)
            .map_err(not_columns)?;
        return Ok(Arc::new(array));
    }
    let integers: Result<Vec<i64>> = values
        .map(|(day, value)| i64::try_from(value).map_err(|_| overflow(day, field.name())))
        .collect();
    Ok(Arc::new(Int64Array::from(integers?)))
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

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
}
