//! What has been published, and which rows of a round are new revisions.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::evaluate::row_schema;
use super::metric::Metric;
use crate::error::{Error, ErrorKind, Result};
use crate::pane::COUNT;
use crate::time::Window;

/// For `map_err`: rows of a round do not have the columns of their metric.
pub(crate) fn not_comparable(metric: &str) -> impl Fn(ArrowError) -> Error {
    let message = format!("metric={metric}: rows of a round cannot be compared");
    move |source| Error::new(ErrorKind::Internal, message.clone()).caused_by(source)
}

fn two_rows(metric: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("metric={metric}: a round gave two rows for one key, which its queries must not"),
    )
}

/// What was last said of a key: revision (from 1) and a hash of the row; a row that is gone has no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: i32,
    pub hash: Option<u128>,
}

/// Metric, window, and the revision of each row by its key.
pub type Revisions = Vec<(String, Window, Vec<(Bytes, Revision)>)>;

type RowKeys = BTreeMap<Bytes, Revision>;

/// Revisions of every row that has been published, per metric and window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Published {
    tables: BTreeMap<String, BTreeMap<Window, RowKeys>>,
}

/// Rows of one round that say something new, with their revisions.
#[derive(Debug)]
pub struct RowChanges {
    /// Columns of the metric without those that the engine adds; rows that are gone have `n` = 0 and NULL or 0 elsewhere.
    pub rows: RecordBatch,
    pub revisions: Vec<i32>,
    /// What [`Published::accept`] registers once the intent is sealed.
    pub keys: Vec<(Bytes, Revision)>,
}

impl Published {
    /// The rows of `window` that differ from what was last said; sorted by key.
    pub fn compare(
        &self,
        metric: &Metric,
        window: Window,
        rows: &RecordBatch,
    ) -> Result<RowChanges> {
        let wrong = not_comparable(&metric.name);
        let schema = row_schema(metric);
        let converter = key_converter(metric, &schema).map_err(&wrong)?;
        let keys = convert(&converter, metric, rows).map_err(&wrong)?;
        let everything = RowConverter::new(
            schema
                .fields()
                .iter()
                .map(|field| SortField::new(field.data_type().clone()))
                .collect(),
        )
        .and_then(|all| all.convert_columns(rows.columns()))
        .map_err(&wrong)?;

        let empty = RowKeys::new();
        let before = self
            .tables
            .get(&metric.name)
            .and_then(|windows| windows.get(&window))
            .unwrap_or(&empty);
        let mut order: Vec<usize> = (0..rows.num_rows()).collect();
        order.sort_unstable_by(|&a, &b| keys.row(a).cmp(&keys.row(b)));
        let mut present: BTreeSet<&[u8]> = BTreeSet::new();
        let (mut picked, mut changed) = (Vec::new(), Vec::new());
        for row in order {
            let key = keys.row(row).data();
            if !present.insert(key) {
                return Err(two_rows(&metric.name));
            }
            let hash = Some(hash(everything.row(row).data()));
            let number = match before.get(key) {
                Some(known) if known.hash == hash => continue,
                Some(known) => known.number + 1,
                None => 1,
            };
            picked.push(u32::try_from(row).unwrap_or(u32::MAX));
            let key = Bytes::copy_from_slice(key);
            changed.push((key, Revision { number, hash }));
        }
        let gone: Vec<(Bytes, Revision)> = before
            .iter()
            .filter(|(key, known)| known.hash.is_some() && !present.contains(key.as_ref()))
            .map(|(key, known)| {
                let number = known.number + 1;
                (key.clone(), Revision { number, hash: None })
            })
            .collect();

        let holding = take_record_batch(rows, &UInt32Array::from(picked)).map_err(&wrong)?;
        let vanished = vanished_rows(metric, &schema, &converter, &gone).map_err(&wrong)?;
        let rows = concat_batches(&schema, [&holding, &vanished]).map_err(&wrong)?;
        changed.extend(gone);
        Ok(RowChanges {
            rows,
            revisions: changed
                .iter()
                .map(|(_, revision)| revision.number)
                .collect(),
            keys: changed,
        })
    }

    /// Registers what an intent has sealed.
    pub fn accept(&mut self, metric: &str, window: Window, keys: Vec<(Bytes, Revision)>) {
        self.tables
            .entry(metric.to_owned())
            .or_default()
            .entry(window)
            .or_default()
            .extend(keys);
    }

    /// Whether anything has been said of the window.
    pub fn knows(&self, metric: &str, window: Window) -> bool {
        self.tables
            .get(metric)
            .is_some_and(|windows| windows.contains_key(&window))
    }

    /// Rows that hold, over all metrics and windows.
    pub fn rows(&self) -> usize {
        self.tables
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .filter(|revision| revision.hash.is_some())
            .count()
    }
}

fn key_converter(metric: &Metric, schema: &SchemaRef) -> Result<RowConverter, ArrowError> {
    RowConverter::new(
        metric
            .dimensions
            .iter()
            .map(|name| {
                schema
                    .field_with_name(name)
                    .map(|field| SortField::new(field.data_type().clone()))
            })
            .collect::<Result<_, _>>()?,
    )
}

fn convert(
    converter: &RowConverter,
    metric: &Metric,
    rows: &RecordBatch,
) -> Result<Rows, ArrowError> {
    let columns: Vec<ArrayRef> = metric
        .dimensions
        .iter()
        .map(|name| crate::columns::column(rows, name).cloned())
        .collect::<Result<_, _>>()?;
    converter.convert_columns(&columns)
}

/// Rows that say that their key no longer exists: `n` = 0, other numbers that cannot be NULL 0 too.
fn vanished_rows(
    metric: &Metric,
    schema: &SchemaRef,
    converter: &RowConverter,
    gone: &[(Bytes, Revision)],
) -> Result<RecordBatch, ArrowError> {
    let parser = converter.parser();
    let keys = converter.convert_rows(gone.iter().map(|(key, _)| parser.parse(key)))?;
    let zero: ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![0; gone.len()]));
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let place = metric
                .dimensions
                .iter()
                .position(|name| name == field.name());
            match place {
                Some(place) => Ok(keys[place].clone()),
                None if field.name() == COUNT => Ok(zero.clone()),
                None if field.is_nullable() => {
                    Ok(arrow::array::new_null_array(field.data_type(), gone.len()))
                }
                None if field.data_type() == &arrow::datatypes::DataType::Boolean => {
                    Ok(std::sync::Arc::new(arrow::array::BooleanArray::from(vec![
                        false;
                        gone.len()
                    ])) as ArrayRef)
                }
                None if field.data_type() == &arrow::datatypes::DataType::Utf8 => Ok(
                    std::sync::Arc::new(arrow::array::StringArray::from(vec![""; gone.len()]))
                        as ArrayRef,
                ),
                None => arrow::compute::cast(&zero, field.data_type()),
            }
        })
        .collect::<Result<Vec<_>, ArrowError>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

fn hash(row: &[u8]) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(row);
    hasher.finish128().as_u128()
}
