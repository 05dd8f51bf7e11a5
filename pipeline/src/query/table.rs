//! A stored table as SQL reads it: exactly the files that the epoch pins.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, plan_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::catalog::{PinnedFile, PinnedTable, without_metadata};

/// A read-only table over a fixed list of Parquet files.
///
/// Files of other partitions are left out while planning; row groups and pages by their statistics while reading.
#[derive(Debug)]
pub(super) struct PinnedParquet {
    store: ObjectStoreUrl,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
}

impl PinnedParquet {
    /// Fails if a partition value is missing or cannot be read as its column's type.
    pub(super) fn try_new(table: &PinnedTable, store: ObjectStoreUrl) -> Result<Self> {
        let all = without_metadata(&table.schema);
        let is_partition = |field: &Field| Some(field.name()) == table.partition_by.as_ref();
        let (partition, stored): (Vec<_>, Vec<_>) = all
            .fields()
            .iter()
            .cloned()
            .partition(|field| is_partition(field));
        let schema = TableSchema::builder(Arc::new(Schema::new(stored)))
            .with_table_partition_cols(partition)
            .build();
        let files = table
            .files
            .iter()
            .map(|file| partitioned(file, &schema))
            .collect::<Result<_>>()?;
        Ok(Self {
            store,
            schema,
            files,
        })
    }

    /// Can the filter be decided from the partition column alone?
    fn decides(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        let partition = self.schema.table_partition_cols();
        !filter.is_volatile()
            && !columns.is_empty()
            && columns
                .iter()
                .all(|column| partition.find(&column.name).is_some())
    }

    /// The files whose partition passes all filters that their partition can decide.
    fn selected(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let deciding: Vec<_> = filters
            .iter()
            .filter(|filter| self.decides(filter))
            .collect();
        if deciding.is_empty() || self.files.is_empty() {
            return Ok(self.files.clone());
        }
        let schema = Arc::new(Schema::new(self.schema.table_partition_cols().clone()));
        let values = self
            .files
            .iter()
            .map(|file| file.partition_values[0].clone());
        let batch =
            RecordBatch::try_new(schema.clone(), vec![ScalarValue::iter_to_array(values)?])?;
        let schema = DFSchema::try_from(schema)?;
        let mut keep = vec![true; self.files.len()];
        for filter in deciding {
            let verdict = state
                .create_physical_expr(filter.clone(), &schema)?
                .evaluate(&batch)?;
            let verdict = verdict.into_array(batch.num_rows())?;
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep &= verdict.is_valid(row) && verdict.as_boolean().value(row);
            }
        }
        let kept = self.files.iter().zip(keep).filter(|(_, keep)| *keep);
        Ok(kept.map(|(file, _)| file.clone()).collect())
    }

    /// The number of rows, from the log where it has it; so counting all rows reads no file.
    fn statistics_of(&self, files: &[PartitionedFile]) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = files.iter().fold(Precision::Exact(0), |total, file| {
            total.add(
                &file
                    .statistics
                    .as_ref()
                    .map_or(Precision::Absent, |s| s.num_rows),
            )
        });
        statistics
    }
}

#[async_trait]
impl TableProvider for PinnedParquet {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if self.decides(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.selected(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema().project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.statistics_of(&files);
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(
            self.store.clone(),
            Arc::new(ParquetSource::new(self.schema.clone())),
        )
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
        ParquetFormat::default()
            .with_options(state.table_options().parquet.clone())
            .create_physical_plan(state, config)
            .await
    }
}

fn partitioned(file: &PinnedFile, schema: &TableSchema) -> Result<PartitionedFile> {
    let values = schema.table_partition_cols().iter().map(|field| {
        let value = file
            .partition_values
            .iter()
            .find(|(name, _)| name == field.name());
        match value {
            Some((_, Some(text))) => ScalarValue::try_from_string(text.clone(), field.data_type()),
            Some((_, None)) => ScalarValue::try_from(field.data_type()),
            None => Err(plan_datafusion_err!(
                "file={} has no value of partition column={}",
                file.path,
                field.name()
            )),
        }
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let mut pinned =
        PartitionedFile::new(file.path.as_ref(), file.size).with_partition_values(values);
    // Set without `with_statistics`, which would also claim that no partition value is NULL.
    if let Some(rows) = file.rows.and_then(|rows| usize::try_from(rows).ok()) {
        let mut statistics = Statistics::new_unknown(schema.table_schema());
        statistics.num_rows = Precision::Exact(rows);
        pinned.statistics = Some(Arc::new(statistics));
    }
    Ok(pinned)
}
