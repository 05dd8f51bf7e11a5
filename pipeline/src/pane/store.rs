//! Sums per pane and key, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Field, Int64Type, Schema, SchemaRef, i256,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};

use super::linear::LinearPlan;
use super::sums::Sums;
use crate::error::{Error, ErrorKind, Result};
use crate::history::PANE;
use crate::sql::decimal;
use crate::time::Day;

fn not_columns(source: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "panes cannot be written as columns").caused_by(source)
}

/// The panes of one metric: `pane` (DATE), keys, sums (DECIMAL(38, …)) and counts (BIGINT), `n`.
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
        fields.extend(
            from[keys + 2..]
                .iter()
                .map(|field| match field.data_type() {
                    DataType::Decimal256(_, scale) => {
                        let sum = DataType::Decimal128(decimal::PRECISION, *scale);
                        Arc::new(field.as_ref().clone().with_data_type(sum))
                    }
                    _ => field.clone(),
                }),
        );
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
        let values: Vec<Vec<i256>> = sums.columns()[self.keys + 2..].iter().map(widen).collect();
        for row in 0..sums.num_rows() {
            let day = Day(panes.value(row));
            self.touched.insert(day);
            let pane = self.panes.entry(day).or_default();
            let slot = pane
                .entry(keys.row(row).as_ref().into())
                .or_insert_with(|| Sums::zero(values.len()));
            slot.add(weights.value(row), |column| values[column][row]);
            if slot.are_zero() {
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
            .filter(|(.., sums)| sums.has_facts())
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
            let values = rows.iter().map(|(.., sums)| sums.get(index));
            arrays.push(column(field, values).map_err(not_columns)?);
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
fn widen(column: &ArrayRef) -> Vec<i256> {
    match column.data_type() {
        DataType::Decimal256(..) => column
            .as_primitive::<Decimal256Type>()
            .iter()
            .map(Option::unwrap_or_default)
            .collect(),
        _ => column
            .as_primitive::<Int64Type>()
            .iter()
            .map(|value| i256::from_i128(value.unwrap_or_default().into()))
            .collect(),
    }
}

/// What DECIMAL(38, …) cannot hold is marked as beyond it; counts always fit.
fn column(field: &Field, values: impl Iterator<Item = i256>) -> Result<ArrayRef, ArrowError> {
    if let DataType::Decimal128(precision, scale) = field.data_type() {
        let array = Decimal128Array::from_iter_values(values.map(decimal::saturate))
            .with_precision_and_scale(*precision, *scale)?;
        return Ok(Arc::new(array));
    }
    let counts = values.map(|value| value.as_i128() as i64);
    Ok(Arc::new(Int64Array::from_iter_values(counts)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
