//! A snapshot into a session: schemas, tables, views, comments, in this order.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::Schema;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider,
    TableProvider,
};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;

use super::catalog::{Comments, PinnedTable, Snapshot, ViewDefinition, without_metadata};
use super::error;
use super::information::{CommentedInformationSchema, INFORMATION_SCHEMA};
use super::names::Names;
use super::table::PinnedParquet;
use super::{guard, views};
use crate::error::{Error, Result};

pub(super) const CATALOG: &str = "vitrine";

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

/// What is known after loading.
pub(super) struct LoadedCatalog {
    pub names: Names,
    pub comments: Arc<Comments>,
}

/// Fills the context. Reads no file; the first table or view that cannot be shown is named.
pub(super) async fn load(
    snapshot: &Snapshot,
    ctx: &SessionContext,
    store: &ObjectStoreUrl,
) -> Result<LoadedCatalog> {
    let mut loading = Loading {
        snapshot,
        ctx,
        catalog: Arc::new(MemoryCatalogProvider::new()),
        comments: Comments::default(),
        names: Names::default(),
    };
    loading.schemas()?;
    loading.tables(store)?;
    loading.reference()?;
    loading.finality()?;
    loading.views().await?;
    loading.finish()
}

fn is_finality(table: &PinnedTable) -> bool {
    table.schema_name == "ops" && table.name == "finality"
}

/// A session while it is filled.
struct Loading<'s> {
    snapshot: &'s Snapshot,
    ctx: &'s SessionContext,
    catalog: Arc<MemoryCatalogProvider>,
    comments: Comments,
    names: Names,
}

impl Loading<'_> {
    fn schemas(&mut self) -> Result<()> {
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

    fn tables(&mut self, url: &ObjectStoreUrl) -> Result<()> {
        for table in &self.snapshot.tables {
            if is_finality(table) {
                continue;
            }
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

    fn reference(&mut self) -> Result<()> {
        for (name, rows) in &self.snapshot.reference {
            self.comments.describe_from("ref", name, &rows.schema());
            self.add_rows("ref", name, rows)?;
        }
        Ok(())
    }

    /// `ops.finality` is the epoch record's, from which `is_final` follows. The stored table of that name, one epoch behind, is
    /// for other readers.
    fn finality(&mut self) -> Result<()> {
        let finality = &self.snapshot.finality;
        let tables = StringArray::from_iter_values(finality.iter().map(|f| &f.table));
        let kinds = StringArray::from_iter_values(finality.iter().map(|f| &f.window_kind));
        let until = finality.iter().map(|f| f.final_until.as_micros());
        let until = TimestampMicrosecondArray::from_iter_values(until).with_timezone("UTC");
        let epoch = Int64Array::from(vec![self.snapshot.epoch; finality.len()]);
        let rows = RecordBatch::try_from_iter([
            ("table_name", Arc::new(tables) as ArrayRef),
            ("window_kind", Arc::new(kinds)),
            ("final_until", Arc::new(until)),
            ("epoch", Arc::new(epoch)),
        ]);
        let rows = rows.map_err(|error| self.failed("ops.finality", &error.into()))?;
        self.comments.describe(
            "ops",
            "finality",
            "up to which end of window rows are final (终值边界)",
        );
        for (column, text) in [
            ("table_name", "table with its schema (表)"),
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

    async fn views(&mut self) -> Result<()> {
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

    /// Plans the query once; `heir_of` is the table whose column comments it takes over.
    async fn view(&mut self, view: &ViewDefinition, heir_of: (&str, &str)) -> Result<()> {
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

    fn finish(mut self) -> Result<LoadedCatalog> {
        let comments = Arc::new(std::mem::take(&mut self.comments));
        let state = self.ctx.state();
        let information = CommentedInformationSchema::new(state.catalog_list(), comments.clone());
        for table in information.table_names() {
            self.names
                .add_table(INFORMATION_SCHEMA, &table, Arc::new(Schema::empty()));
        }
        let registered = self
            .catalog
            .register_schema(INFORMATION_SCHEMA, Arc::new(information));
        registered.map_err(|error| self.failed(INFORMATION_SCHEMA, &error))?;
        let functions = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys());
        self.names
            .set_functions(functions.chain(state.window_functions().keys()).cloned());
        Ok(LoadedCatalog {
            names: self.names,
            comments,
        })
    }

    fn add_rows(&mut self, schema: &str, name: &str, rows: &RecordBatch) -> Result<()> {
        let object = format!("{schema}.{name}");
        let table = without_metadata_of(rows)
            .and_then(|rows| MemTable::try_new(rows.schema(), vec![vec![rows]]))
            .map_err(|error| self.failed(&object, &error))?;
        self.add(schema, name, Arc::new(table))
    }

    fn add(&mut self, schema: &str, name: &str, table: Arc<dyn TableProvider>) -> Result<()> {
        self.add_schema(schema)?;
        self.names.add_table(schema, name, table.schema());
        let reference = TableReference::full(CATALOG, schema, name);
        match self.ctx.register_table(reference, table) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(&format!("{schema}.{name}"), &error)),
        }
    }

    fn add_schema(&mut self, schema: &str) -> Result<()> {
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

    fn failed(&self, object: &str, error: &DataFusionError) -> Error {
        error::not_shown(self.snapshot.epoch, object, error)
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
