//! Writing rows into Parquet files that no table names yet.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::{
    SortColumn, concat_batches, lexsort_to_indices, partition, take_record_batch,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStore, PutMode};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::ContentHash;
use super::error;
use super::stats::stats_json;
use super::tables::{TableSpec, Tables};
use crate::error::Result;
use crate::log::store_failed;
use crate::time::{Backoff, retry, wall};

/// A Parquet file on disk that a commit can name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagedFile {
    /// From the table's folder. The name holds the hash of the content.
    pub path: String,
    /// Partition column and its value as text (`None` for NULL).
    pub partition: Option<(String, Option<String>)>,
    /// Bytes.
    pub size: u64,
    pub rows: u64,
    /// Delta's statistics as JSON.
    pub stats: String,
    /// Wall clock.
    pub staged_at: TimestampMs,
}

/// A file before it is put.
pub(super) struct Encoded {
    file: StagedFile,
    bytes: Bytes,
}

/// What the names of everything carry that the owner with this claim stages for an epoch.
pub fn staging_tag(claim: u64, epoch: i64) -> String {
    format!("{claim}-{epoch}")
}

/// What the names of all files begin with that the owner with this claim stages.
pub(super) fn staged_prefix(claim: u64) -> String {
    format!("part-{claim}-")
}

const ROW_GROUP_ROWS: usize = 131_072;

impl Tables {
    /// Writes one file for each partition value in `batches`, sorted, and returns what a commit needs to name them.
    ///
    /// `tag` ([`staging_tag`]) goes into the names: for people, and for vacuum, which leaves what the running owner stages.
    /// The files are durable when this returns; until a commit names them they are invisible, and if none ever does they are
    /// merely in the way. No rows, no files.
    pub async fn stage(
        &self,
        spec: &TableSpec,
        batches: &[RecordBatch],
        tag: &str,
    ) -> Result<Vec<StagedFile>> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(Vec::new());
        }
        let (spec, batches, tag) = (spec.clone(), batches.to_vec(), tag.to_owned());
        let table = spec.full_name();
        let encoded = blocking(&table, move || encode(&spec, &batches, &tag)).await?;
        let mut staged = Vec::with_capacity(encoded.len());
        for file in encoded {
            staged.push(self.put_file(&table, file).await?);
        }
        Ok(staged)
    }

    /// Puts a file; its name is unique, so one that exists is ours of an earlier try.
    pub(super) async fn put_file(&self, table: &str, encoded: Encoded) -> Result<StagedFile> {
        let location = self.open(table)?.location(&encoded.file.path);
        retry(Backoff::STAGING, "staging a file", async || {
            let payload = encoded.bytes.clone().into();
            let put = self
                .store
                .put_opts(&location, payload, PutMode::Create.into());
            match put.await {
                Ok(_) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
                Err(source) => Err(store_failed(&location)(source)),
            }
        })
        .await?;
        Ok(encoded.file)
    }
}

/// Runs encoding beside the runtime's workers.
pub(super) async fn blocking<T: Send + 'static>(
    table: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| error::interrupted(table))?
}

/// Arranges rows by partition and sort columns and encodes each partition's as a file.
pub(super) fn encode(spec: &TableSpec, batches: &[RecordBatch], tag: &str) -> Result<Vec<Encoded>> {
    let rows = checked_rows(spec, batches)?;
    arrange(spec, &rows)
        .map_err(ParquetError::from)
        .and_then(|parts| {
            parts
                .into_iter()
                .enumerate()
                .map(|(index, part)| part.encode(spec, tag, index))
                .collect::<Result<_, _>>()
        })
        .map_err(error::encode(&spec.full_name()))
}

/// All rows as one batch. Batches must have exactly the table's columns; nothing is converted.
fn checked_rows(spec: &TableSpec, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let wrong = |what: String| error::other_rows(&spec.full_name(), what);
    let checked: Vec<_> = batches
        .iter()
        .map(|batch| {
            let mine = spec
                .schema
                .fields()
                .iter()
                .map(|field| (field.name(), field.data_type()));
            let schema = batch.schema();
            let mut theirs = schema
                .fields()
                .iter()
                .map(|field| (field.name(), field.data_type()));
            for wanted in mine {
                match theirs.next() {
                    Some(found) if found == wanted => {}
                    found => return Err(wrong(format!("expected={wanted:?} found={found:?}"))),
                }
            }
            if let Some(surplus) = theirs.next() {
                return Err(wrong(format!("surplus column={surplus:?}")));
            }
            RecordBatch::try_new(Arc::clone(&spec.schema), batch.columns().to_vec())
                .map_err(|error| wrong(error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    concat_batches(&spec.schema, &checked).map_err(|error| wrong(error.to_string()))
}

/// The rows of one partition value, sorted, without the partition column.
struct PartitionRows {
    partition: Option<(String, Option<String>)>,
    rows: RecordBatch,
}

fn arrange(spec: &TableSpec, rows: &RecordBatch) -> Result<Vec<PartitionRows>, ArrowError> {
    let column = |name: &String| {
        rows.column_by_name(name)
            .cloned()
            .ok_or_else(|| ArrowError::SchemaError(format!("no column={name} to sort by")))
    };
    let keys: Vec<_> = spec
        .partition_by
        .iter()
        .chain(&spec.sort_by)
        .map(|name| {
            Ok(SortColumn {
                values: column(name)?,
                options: None,
            })
        })
        .collect::<Result<_, ArrowError>>()?;
    let sorted = if keys.is_empty() {
        rows.clone()
    } else {
        take_record_batch(rows, &lexsort_to_indices(&keys, None)?)?
    };
    let Some(name) = &spec.partition_by else {
        return Ok(vec![PartitionRows {
            partition: None,
            rows: sorted,
        }]);
    };
    let index = sorted.schema().index_of(name)?;
    let values = Arc::clone(sorted.column(index));
    let ranges = partition(&[Arc::clone(&values)])?.ranges();
    let mut inside = sorted;
    inside.remove_column(index);
    ranges
        .into_iter()
        .map(|range| {
            let value = if values.is_null(range.start) {
                None
            } else {
                // The Delta protocol takes an empty text for NULL.
                Some(array_value_to_string(&values, range.start)?).filter(|text| !text.is_empty())
            };
            Ok(PartitionRows {
                partition: Some((name.clone(), value)),
                rows: inside.slice(range.start, range.len()),
            })
        })
        .collect()
}

impl PartitionRows {
    fn encode(self, spec: &TableSpec, tag: &str, index: usize) -> Result<Encoded, ParquetError> {
        let bytes = Bytes::from(parquet_bytes(&self.rows)?);
        let stem = format!("{tag}-{index:05}-{}", Uuid::new_v4().simple());
        let folder = self
            .partition
            .as_ref()
            .map(partition_folder)
            .unwrap_or_default();
        let file = StagedFile {
            path: format!("{folder}{}", ContentHash::of(&bytes).file_name(&stem)),
            partition: self.partition,
            size: bytes.len() as u64,
            rows: self.rows.num_rows() as u64,
            stats: stats_json(&self.rows, &spec.sort_by),
            staged_at: wall::now(),
        };
        Ok(Encoded { file, bytes })
    }
}

fn parquet_bytes(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("vitrine".to_owned())
        // Lists are named inside as Parquet's standard has it, for readers other than arrow.
        .set_coerce_types(true)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.into_inner()
}

/// `event_date=2026-01-05/`. The name only helps people: the Delta log holds the value, so odd characters are replaced.
fn partition_folder((column, value): &(String, Option<String>)) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    match value {
        Some(text) => format!("{column}={}/", text.chars().map(plain).collect::<String>()),
        None => format!("{column}=__HIVE_DEFAULT_PARTITION__/"),
    }
}

#[cfg(test)]
mod tests;
