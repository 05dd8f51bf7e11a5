//! A table whose rows are put in before each run of a plan that reads it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::exec_datafusion_err;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

/// Planning takes far longer than running over a few thousand rows, so a plan is made once, over inputs, and run again and again.
#[derive(Debug)]
pub struct PaneInput {
    schema: SchemaRef,
    rows: Mutex<Option<RecordBatch>>,
}

impl PaneInput {
    pub fn new(schema: SchemaRef) -> Arc<Self> {
        Arc::new(Self {
            schema,
            rows: Mutex::new(None),
        })
    }

    /// What plans read from now on; `None`: a plan that reads it fails.
    pub fn put(&self, rows: Option<RecordBatch>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// As a table of a catalog.
    pub fn table(self: &Arc<Self>) -> Result<Arc<StreamingTable>, DataFusionError> {
        let table = StreamingTable::try_new(self.schema.clone(), vec![self.clone()])?;
        Ok(Arc::new(table))
    }
}

impl PartitionStream for PaneInput {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = rows
            .clone()
            .ok_or_else(|| exec_datafusion_err!("a table is read that has no rows in this run"));
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            futures::stream::iter([rows]),
        ))
    }
}
