//! From an epoch to answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::{FutureExt, StreamExt};
use object_store::ObjectStore;
use schemas::time::TimestampMs;

use super::catalog::{Comments, Snapshot};
use super::lease::Lease;
use super::limits::limit_functions;
use super::load::CATALOG;
use super::names::Names;
use super::spill::SpillFolder;
use super::{error, guard, load};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::{self, Arithmetic};
use crate::table::VerifiedStore;

/// The schema of names without one.
pub const DEFAULT_SCHEMA: &str = "metrics";

/// What sessions share: where the files are, the memory they may use, and what is known about the files already.
#[derive(Clone, Debug)]
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    memory_bytes: usize,
    url: ObjectStoreUrl,
    store: Arc<VerifiedStore>,
}

impl Engine {
    /// `memory_bytes` is the limit of all queries together; sorts and aggregations beyond their share spill to `spill`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        memory_bytes: usize,
        spill: &SpillFolder,
    ) -> Result<Self> {
        let failed = |source: DataFusionError| {
            Error::new(ErrorKind::Internal, "queries cannot be set up").caused_by(source)
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill.mode()))
            .build()
            .map_err(failed)?;
        // A name of its own: plans and errors then show no folder or bucket.
        let url = ObjectStoreUrl::parse("vitrine://storage").map_err(failed)?;
        let store = Arc::new(VerifiedStore::new(store));
        runtime.register_object_store(url.as_ref(), Arc::<VerifiedStore>::clone(&store));
        Ok(Self {
            store,
            runtime: Arc::new(runtime),
            memory_bytes,
            url,
        })
    }

    /// Reads all files of a snapshot, but for those that a query has read, and fails where one is not what was published.
    pub async fn check_files(&self, snapshot: &Snapshot) -> Result<()> {
        for file in snapshot.tables.iter().flat_map(|table| &table.files) {
            self.store.check(&file.path).await?;
        }
        Ok(())
    }
}

/// SQL over one epoch: every query of a session sees the same rows of all tables (P3).
pub struct Session {
    ctx: SessionContext,
    epoch: i64,
    committed_at: TimestampMs,
    names: Names,
    comments: Arc<Comments>,
    lease: Option<Arc<Lease>>,
}

impl Session {
    /// Opens the epoch. Reads no file; fails if a view of the snapshot cannot be planned.
    pub async fn open(snapshot: &Snapshot, engine: &Engine) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_create_default_catalog_and_schema(false)
            // Off, because ours takes its place: the same tables, with comments.
            .with_information_schema(false);
        config.options_mut().execution.time_zone = Some("UTC".to_owned());
        let mut ctx = SessionContext::new_with_config_rt(config, engine.runtime.clone());
        sql::register_all(&mut ctx, Arithmetic::Checked);
        limit_functions(&ctx, engine.memory_bytes);
        let loaded = load::load(snapshot, &ctx, &engine.url).await?;
        Ok(Self {
            ctx,
            epoch: snapshot.epoch,
            committed_at: snapshot.committed_at,
            names: loaded.names,
            comments: loaded.comments,
            lease: None,
        })
    }

    /// Holds the files of the epoch as long as the session lives; sessions of one epoch may share a lease.
    #[must_use]
    pub fn holding(mut self, lease: Option<Arc<Lease>>) -> Self {
        self.lease = lease;
        self
    }

    /// Ends the session, and its lease before it returns where no other session shares it.
    pub async fn close(self) {
        if let Some(lease) = self.lease.and_then(Arc::into_inner) {
            lease.close().await;
        }
    }

    /// Number of the epoch.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// When the epoch was committed.
    pub fn committed_at(&self) -> TimestampMs {
        self.committed_at
    }

    /// What there is to ask for.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What the catalog says about it.
    pub fn comments(&self) -> &Comments {
        &self.comments
    }

    /// Starts one query. Rows come as they are computed. [`ErrorKind::Query`]: it is the query that has to change.
    pub async fn query(&self, sql: &str) -> Result<QueryResult> {
        let statement = guard::parse(sql)?;
        let started = AssertUnwindSafe(self.start(statement)).catch_unwind().await;
        let stream = started.unwrap_or_else(|panic| Err(error::panicked(panic.as_ref())))?;
        Ok(QueryResult {
            epoch: self.epoch,
            stream,
            has_ended: false,
        })
    }

    async fn start(&self, statement: Statement) -> Result<SendableRecordBatchStream> {
        let state = self.ctx.state();
        let plan = match state.statement_to_plan(statement.clone()).await {
            Ok(plan) => plan,
            Err(error) => return Err(self.explain(&statement, &error)),
        };
        guard::verify(&plan)?;
        let frame = self.ctx.execute_logical_plan(plan).await;
        let planned = match frame {
            Ok(frame) => frame.execute_stream().await,
            Err(error) => Err(error),
        };
        planned.map_err(|error| error::while_planning(&error, &self.names))
    }

    /// A table that does not exist explains a failed plan better than what the planner made of it.
    fn explain(&self, statement: &Statement, error: &DataFusionError) -> Error {
        let references = self
            .ctx
            .state()
            .resolve_table_references(statement)
            .unwrap_or_default();
        for reference in references {
            let resolved = reference.clone().resolve(CATALOG, DEFAULT_SCHEMA);
            let known = *resolved.catalog == *CATALOG
                && self
                    .names
                    .table(&resolved.schema, &resolved.table)
                    .is_some();
            let is_function = matches!(reference, TableReference::Bare { .. })
                && self.ctx.table_function(&resolved.table).is_ok();
            if !known && !is_function {
                let name = format!("{}.{}", resolved.schema, resolved.table);
                let nearest = self.names.nearest_table(&resolved.schema, &resolved.table);
                return error::no_table(&name, nearest.as_deref());
            }
        }
        error::while_planning(error, &self.names)
    }
}

/// The rows of one query, while they come.
pub struct QueryResult {
    epoch: i64,
    stream: SendableRecordBatchStream,
    has_ended: bool,
}

impl QueryResult {
    /// The epoch that was asked.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.has_ended {
            return None;
        }
        // A panic is a mistake below SQL, not a reason to end the process. Nothing is asked of the stream after it.
        match AssertUnwindSafe(self.stream.next()).catch_unwind().await {
            Ok(next) => Some(next?.map_err(|error| error::while_running(&error))),
            Err(panic) => {
                self.has_ended = true;
                Some(Err(error::panicked(panic.as_ref())))
            }
        }
    }

    /// All rows.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}
