//! Merging small files: an epoch every ten seconds must not leave thousands.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};

use super::commit::Compaction;
use super::content;
use super::error;
use super::files::DataFile;
use super::stage::{blocking, encode};
use super::tables::{TableSpec, Tables};
use crate::error::Result;
use crate::log::store_failed;

/// Files below this are small, bytes.
const SMALL: u64 = 16 << 20;
/// A partition with more small files than this is merged.
const ENOUGH: usize = 16;
/// Bytes read for one merge at most: they are sorted in memory, about ten times as large.
const MERGE_LIMIT: u64 = 64 << 20;
/// Bytes that the files of one merge unpack to at most, where a column holds raw bytes: whoever sent them may have sent much of the
/// same, which packs a thousandfold.
const UNPACKED_LIMIT: u64 = 16 << 20;
/// Merges at once at least, if so many are due. Where more than twice as many are, half of them: an epoch does not wait for a
/// whole backlog, and a backlog does not grow with the number of partitions.
const MERGES_AT_ONCE: usize = 4;

impl Tables {
    /// Merges the small files of the fullest partitions of `version` and returns what to put into the next commit.
    ///
    /// The merged file is staged like any other; it replaces the others only with the commit, in the same version. Rows stay
    /// the same, so Delta's readers of changes see none.
    pub async fn compact(
        &self,
        spec: &TableSpec,
        version: i64,
        tag: &str,
    ) -> Result<Vec<Compaction>> {
        let files = self.files_at(&spec.full_name(), version).await?;
        let mut compactions = Vec::new();
        for group in merge_groups(&files) {
            compactions.push(self.merge(spec, &group, tag).await?);
        }
        Ok(compactions.into_iter().flatten().collect())
    }

    async fn merge(
        &self,
        spec: &TableSpec,
        group: &[&DataFile],
        tag: &str,
    ) -> Result<Option<Compaction>> {
        let table = spec.full_name();
        let limit = if holds_raw_bytes(spec) {
            UNPACKED_LIMIT
        } else {
            u64::MAX
        };
        let (mut contents, mut merged) = (Vec::new(), Vec::new());
        let mut unpacked = 0;
        for file in group {
            let path = &file.location;
            let found = self.store.get(path).await.map_err(store_failed(path))?;
            let bytes = found.bytes().await.map_err(store_failed(path))?;
            content::check_bytes(path, &bytes)?;
            let size = unpacked_bytes(&bytes).map_err(error::encode(&table))?;
            if size <= limit - unpacked {
                unpacked += size;
                contents.push((bytes, file.partition_values.clone()));
                merged.push(file.path.clone());
            }
        }
        if merged.len() < 2 {
            return Ok(None);
        }
        let (spec, tag) = (spec.clone(), format!("{tag}-merged"));
        let encoded = blocking(&table, move || {
            let mut batches = Vec::new();
            for (bytes, partition) in contents {
                let rows = read_rows(&spec, bytes, &partition);
                batches.extend(rows.map_err(error::encode(&spec.full_name()))?);
            }
            encode(&spec, &batches, &tag)
        })
        .await?;
        let Some(file) = encoded.into_iter().next() else {
            return Ok(None);
        };
        let add = self.put_file(&table, file).await?;
        Ok(Some(Compaction {
            add,
            remove: merged,
        }))
    }
}

fn holds_raw_bytes(spec: &TableSpec) -> bool {
    let mut fields = spec.schema.fields().iter();
    fields.any(|field| *field.data_type() == DataType::Binary)
}

/// Bytes of the rows of a file before they were packed, dictionaries undone.
fn unpacked_bytes(file: &Bytes) -> Result<u64, ParquetError> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file)?;
    let groups = metadata.row_groups().iter();
    let columns = groups.flat_map(RowGroupMetaData::columns);
    let sizes = columns.map(|column| {
        let values = column.unencoded_byte_array_data_bytes().unwrap_or(0);
        column.uncompressed_size().max(values).unsigned_abs()
    });
    Ok(sizes.sum())
}

/// Which files to merge, each group within one partition; the partitions with most small files first.
fn merge_groups(files: &[DataFile]) -> Vec<Vec<&DataFile>> {
    let mut small: BTreeMap<_, Vec<&DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.size < SMALL) {
        small.entry(&file.partition_values).or_default().push(file);
    }
    let mut groups: Vec<_> = small
        .into_values()
        .filter(|group| group.len() > ENOUGH)
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.truncate(groups.len().div_ceil(2).max(MERGES_AT_ONCE));
    for group in &mut groups {
        group.sort_by_key(|file| file.size);
        group.truncate(worth_merging(group));
    }
    groups
}

/// How many of the files, which ascend by size, to merge: [`ENOUGH`], and each further one that is no larger than those before
/// it together. So a file is written again only when it at least doubles, not each time that small ones have come.
fn worth_merging(ascending: &[&DataFile]) -> usize {
    let mut bytes = 0;
    let fits = |(index, file): (usize, &&DataFile)| {
        let is_worth_it = index < ENOUGH || file.size <= bytes;
        bytes += file.size;
        is_worth_it && bytes <= MERGE_LIMIT
    };
    ascending
        .iter()
        .enumerate()
        .map(fits)
        .take_while(|fits| *fits)
        .count()
}

/// The rows of a file with the table's columns: the partition column from the log, columns added later as NULL.
fn read_rows(
    spec: &TableSpec,
    bytes: Bytes,
    partition: &BTreeMap<String, Option<String>>,
) -> Result<Vec<RecordBatch>, ParquetError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    reader
        .map(|batch| {
            let batch = batch?;
            let columns = spec
                .schema
                .fields()
                .iter()
                .map(|field| {
                    match (
                        batch.column_by_name(field.name()),
                        partition.get(field.name()),
                    ) {
                        (Some(values), _) => Ok(cast(values, field.data_type())?),
                        (None, Some(Some(value))) => {
                            constant(value, field.data_type(), batch.num_rows())
                        }
                        (None, _) => Ok(new_null_array(field.data_type(), batch.num_rows())),
                    }
                })
                .collect::<Result<Vec<ArrayRef>, ParquetError>>()?;
            Ok(RecordBatch::try_new(Arc::clone(&spec.schema), columns)?)
        })
        .collect()
}

fn constant(value: &str, data_type: &DataType, rows: usize) -> Result<ArrayRef, ParquetError> {
    let texts: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![value; rows]));
    Ok(cast(&texts, data_type)?)
}

#[cfg(test)]
mod tests;
