//! From an epoch to answers.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemTable, MemoryCatalogProvider, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use object_store::ObjectStore;

use super::catalog::{Comments, Snapshot, ViewText, without_metadata};
use super::error::QueryError;
use super::information::{CommentedInformationSchema, INFORMATION_SCHEMA};
use super::names::Names;
use super::table::PinnedParquet;
use super::{functions, guard, views};

const CATALOG: &str = "vitrine";

/// The schema of names without one.
pub const DEFAULT_SCHEMA: &str = "metrics";

/// The schemas of contract 5; there even while they are empty. `live` comes with a running service.
const SCHEMAS: [&str; 7] = [
    "metrics",
    "metrics_revisions",
    "events",
    "facts",
    "feeds",
    "ref",
    "ops",
];

/// What sessions share: where the files are, the memory they may use, and what is known about the files already.
#[derive(Clone, Debug)]
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    url: ObjectStoreUrl,
}

impl Engine {
    /// `memory_bytes` is the limit of all queries together; sorts and aggregations beyond their share spill to temporary files.
    pub fn new(store: Arc<dyn ObjectStore>, memory_bytes: usize) -> Result<Self, DataFusionError> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
            .build()?;
        // A name of its own: plans and errors then show no folder or bucket.
        let url = ObjectStoreUrl::parse("vitrine://storage")?;
        runtime.register_object_store(url.as_ref(), store);
        Ok(Self {
            runtime: Arc::new(runtime),
            url,
        })
    }
}

/// SQL over one epoch: every query of a session sees the same rows of all tables (P3).
pub struct Session {
    ctx: SessionContext,
    epoch: i64,
    committed_at_ms: i64,
    names: Names,
    comments: Arc<Comments>,
}

impl Session {
    /// Opens the epoch. Reads no file; fails if a view of the snapshot cannot be planned.
    pub async fn open(snapshot: &Snapshot, engine: &Engine) -> Result<Self, QueryError> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_create_default_catalog_and_schema(false)
            // Off, because ours takes its place: the same tables, with comments.
            .with_information_schema(false);
        config.options_mut().execution.time_zone = Some("UTC".to_owned());
        let ctx = SessionContext::new_with_config_rt(config, engine.runtime.clone());
        functions::register_all(&ctx);
        let mut loading = Loading {
            snapshot,
            catalog: Arc::new(MemoryCatalogProvider::new()),
            ctx,
            comments: Comments::default(),
            names: Names::default(),
        };
        loading.schemas()?;
        loading.tables(&engine.url)?;
        loading.reference()?;
        loading.finality()?;
        loading.views().await?;
        loading.finish()
    }

    /// Number of the epoch.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// When the epoch was committed, ms UTC.
    pub fn committed_at_ms(&self) -> i64 {
        self.committed_at_ms
    }

    /// What there is to ask for.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What the catalog says about it.
    pub fn comments(&self) -> &Comments {
        &self.comments
    }

    /// Starts one query. Rows come as they are computed.
    pub async fn query(&self, sql: &str) -> Result<Answer, QueryError> {
        let statement = guard::parse(sql)?;
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
        let stream = planned.map_err(|error| QueryError::while_planning(&error, &self.names))?;
        Ok(Answer {
            epoch: self.epoch,
            stream,
        })
    }

    /// A table that does not exist explains a failed plan better than what the planner made of it.
    fn explain(&self, statement: &Statement, error: &DataFusionError) -> QueryError {
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
                return QueryError::NoTable {
                    name: format!("{}.{}", resolved.schema, resolved.table),
                    nearest: self.names.nearest_table(&resolved.schema, &resolved.table),
                };
            }
        }
        QueryError::while_planning(error, &self.names)
    }
}

/// The rows of one query, while they come.
pub struct Answer {
    epoch: i64,
    stream: SendableRecordBatchStream,
}

impl Answer {
    /// The epoch that was asked.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        let next = self.stream.next().await?;
        Some(next.map_err(|error| QueryError::while_running(&error)))
    }

    /// All rows.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

/// A session while it is filled.
struct Loading<'s> {
    snapshot: &'s Snapshot,
    ctx: SessionContext,
    catalog: Arc<MemoryCatalogProvider>,
    comments: Comments,
    names: Names,
}

impl Loading<'_> {
    fn schemas(&mut self) -> Result<(), QueryError> {
        let views = self.snapshot.views.iter().map(|view| view.schema.as_str());
        let stored = self
            .snapshot
            .tables
            .iter()
            .map(|table| table.schema_name.as_str());
        for schema in SCHEMAS.into_iter().chain(stored).chain(views) {
            self.add_schema(schema)?;
        }
        self.ctx.register_catalog(CATALOG, self.catalog.clone());
        Ok(())
    }

    fn tables(&mut self, url: &ObjectStoreUrl) -> Result<(), QueryError> {
        for table in &self.snapshot.tables {
            let schema = views::stored_schema(table);
            let object = format!("{schema}.{}", table.name);
            let provider =
                PinnedParquet::try_new(table, url.clone()).map_err(|e| self.failed(&object, &e))?;
            self.comments
                .describe_from(&schema, &table.name, &table.schema);
            self.add(&schema, &table.name, Arc::new(provider))?;
        }
        Ok(())
    }

    fn reference(&mut self) -> Result<(), QueryError> {
        for (name, rows) in &self.snapshot.reference {
            self.comments.describe_from("ref", name, &rows.schema());
            self.add_rows("ref", name, rows)?;
        }
        Ok(())
    }

    /// `ops.finality` from the epoch record itself, unless a table of this name is stored.
    fn finality(&mut self) -> Result<(), QueryError> {
        if self.names.table("ops", "finality").is_some() {
            return Ok(());
        }
        let finality = &self.snapshot.finality;
        let until = finality
            .iter()
            .map(|f| f.final_until_ms.saturating_mul(1000));
        let rows = RecordBatch::try_from_iter([
            (
                "table_name",
                Arc::new(StringArray::from_iter_values(
                    finality.iter().map(|f| &f.table),
                )) as _,
            ),
            (
                "window_kind",
                Arc::new(StringArray::from_iter_values(
                    finality.iter().map(|f| &f.window_kind),
                )) as _,
            ),
            (
                "final_until",
                Arc::new(TimestampMicrosecondArray::from_iter_values(until).with_timezone("UTC"))
                    as _,
            ),
            (
                "epoch",
                Arc::new(Int64Array::from(vec![self.snapshot.epoch; finality.len()])) as _,
            ),
        ]);
        let rows = rows.map_err(|error| self.failed("ops.finality", &error.into()))?;
        self.comments.describe(
            "ops",
            "finality",
            "up to which end of window rows are final (终值边界)",
        );
        for (column, text) in [
            ("table_name", "table of the schema metrics or feeds (表名)"),
            (
                "window_kind",
                "kind of window: HR D1 W1 MO H7 H28 (窗口类型)",
            ),
            (
                "final_until",
                "windows that end at or before this instant are final, UTC (终值截止)",
            ),
            ("epoch", "epoch that says so (批次)"),
        ] {
            self.comments
                .describe_column("ops", "finality", column, text);
        }
        self.add_rows("ops", "finality", &rows)
    }

    async fn views(&mut self) -> Result<(), QueryError> {
        let snapshot = self.snapshot;
        for table in &snapshot.tables {
            if let Some(view) = views::view_of(table, snapshot) {
                self.view(&view, (&views::stored_schema(table), &table.name))
                    .await?;
            }
        }
        for view in &snapshot.views {
            self.view(view, (&view.schema, &view.name)).await?;
        }
        Ok(())
    }

    /// Plans the text once; `heir_of` is the table whose column comments it takes over.
    async fn view(&mut self, view: &ViewText, heir_of: (&str, &str)) -> Result<(), QueryError> {
        let object = format!("{}.{}", view.schema, view.name);
        let plan = self
            .ctx
            .state()
            .create_logical_plan(&view.sql)
            .await
            .map_err(|e| self.failed(&object, &e))?;
        guard::verify(&plan)?;
        self.comments
            .describe(&view.schema, &view.name, &view.comment);
        for (column, text) in &view.column_comments {
            self.comments
                .describe_column(&view.schema, &view.name, column, text);
        }
        self.comments.inherit(heir_of, (&view.schema, &view.name));
        self.add(
            &view.schema,
            &view.name,
            Arc::new(ViewTable::new(plan, Some(view.sql.clone()))),
        )
    }

    fn finish(mut self) -> Result<Session, QueryError> {
        let comments = Arc::new(self.comments);
        let state = self.ctx.state();
        let catalogs: &Arc<dyn CatalogProviderList> = state.catalog_list();
        let information = Arc::new(CommentedInformationSchema::new(catalogs, comments.clone()));
        for table in information.table_names() {
            self.names.add_table(
                INFORMATION_SCHEMA,
                &table,
                Arc::new(arrow::datatypes::Schema::empty()),
            );
        }
        self.catalog
            .register_schema(INFORMATION_SCHEMA, information)
            .map_err(|error| QueryError::Snapshot {
                epoch: self.snapshot.epoch,
                object: INFORMATION_SCHEMA.to_owned(),
                message: error.strip_backtrace(),
            })?;
        let functions = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys());
        self.names
            .set_functions(functions.chain(state.window_functions().keys()).cloned());
        Ok(Session {
            ctx: self.ctx,
            epoch: self.snapshot.epoch,
            committed_at_ms: self.snapshot.committed_at_ms,
            names: self.names,
            comments,
        })
    }

    fn add_rows(&mut self, schema: &str, name: &str, rows: &RecordBatch) -> Result<(), QueryError> {
        let object = format!("{schema}.{name}");
        let table = without_metadata_of(rows)
            .and_then(|rows| MemTable::try_new(rows.schema(), vec![vec![rows]]))
            .map_err(|error| self.failed(&object, &error))?;
        self.add(schema, name, Arc::new(table))
    }

    fn add(
        &mut self,
        schema: &str,
        name: &str,
        table: Arc<dyn TableProvider>,
    ) -> Result<(), QueryError> {
        self.add_schema(schema)?;
        self.names.add_table(schema, name, table.schema());
        let reference = TableReference::full(CATALOG, schema, name);
        match self.ctx.register_table(reference, table) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(&format!("{schema}.{name}"), &error)),
        }
    }

    fn add_schema(&mut self, schema: &str) -> Result<(), QueryError> {
        if self.names.has_schema(schema) {
            return Ok(());
        }
        self.names.add_schema(schema);
        let registered = self
            .catalog
            .register_schema(schema, Arc::new(MemorySchemaProvider::new()));
        registered
            .map(|_| ())
            .map_err(|error| self.failed(schema, &error))
    }

    fn failed(&self, object: &str, error: &DataFusionError) -> QueryError {
        QueryError::Snapshot {
            epoch: self.snapshot.epoch,
            object: object.to_owned(),
            message: error.strip_backtrace(),
        }
    }
}

fn without_metadata_of(rows: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let schema = without_metadata(&rows.schema());
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(
        schema.clone(),
        columns.collect::<Result<_, _>>()?,
    )?)
}
