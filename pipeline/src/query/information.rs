//! `information_schema` with comments.
//!
//! DataFusion's own has no column for them. Its tables stay as they are, so that `SHOW TABLES`, `SHOW COLUMNS` and tools
//! work; `tables` and `columns` gain a last column `comment`.

use std::sync::{Arc, Weak};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use datafusion::catalog::information_schema::{
    INFORMATION_SCHEMA_TABLES, InformationSchemaProvider,
};
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{CatalogProviderList, MemTable, SchemaProvider, TableProvider};
use datafusion::common::{Column, JoinType, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, col};

use super::catalog::Comments;

/// Name of the schema.
pub(super) const INFORMATION_SCHEMA: &str = "information_schema";

/// The schema provider; registered in the catalog that it describes.
#[derive(Debug)]
pub(super) struct CommentedInformationSchema {
    /// Weak, because the list holds the catalog, which holds this.
    catalogs: Weak<dyn CatalogProviderList>,
    comments: Arc<Comments>,
}

impl CommentedInformationSchema {
    pub(super) fn new(catalogs: &Arc<dyn CatalogProviderList>, comments: Arc<Comments>) -> Self {
        Self {
            catalogs: Arc::downgrade(catalogs),
            comments,
        }
    }

    fn table_comments(&self) -> Result<MemTable> {
        let rows: Vec<_> = self.comments.of_tables().collect();
        relation(vec![
            ("table_schema", text(rows.iter().map(|row| row.0))),
            ("table_name", text(rows.iter().map(|row| row.1))),
            ("comment", text(rows.iter().map(|row| row.2))),
        ])
    }

    fn column_comments(&self) -> Result<MemTable> {
        let rows: Vec<_> = self.comments.of_columns().collect();
        relation(vec![
            ("table_schema", text(rows.iter().map(|row| row.0))),
            ("table_name", text(rows.iter().map(|row| row.1))),
            ("column_name", text(rows.iter().map(|row| row.2))),
            ("comment", text(rows.iter().map(|row| row.3))),
        ])
    }
}

#[async_trait]
impl SchemaProvider for CommentedInformationSchema {
    fn table_names(&self) -> Vec<String> {
        INFORMATION_SCHEMA_TABLES
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    }

    fn table_exist(&self, name: &str) -> bool {
        INFORMATION_SCHEMA_TABLES.contains(&name)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(catalogs) = self.catalogs.upgrade() else {
            return Ok(None);
        };
        let Some(listed) = InformationSchemaProvider::new(catalogs).table(name).await? else {
            return Ok(None);
        };
        Ok(Some(match name {
            "tables" => with_comment(
                listed,
                self.table_comments()?,
                &["table_schema", "table_name"],
            )?,
            "columns" => with_comment(
                listed,
                self.column_comments()?,
                &["table_schema", "table_name", "column_name"],
            )?,
            _ => listed,
        }))
    }
}

/// The listed rows with the comment that belongs to each, or NULL.
fn with_comment(
    listed: Arc<dyn TableProvider>,
    comments: MemTable,
    key: &[&str],
) -> Result<Arc<dyn TableProvider>> {
    let mut columns: Vec<_> = listed
        .schema()
        .fields()
        .iter()
        .map(|field| col(Column::new(Some("listed"), field.name())))
        .collect();
    columns.push(col(Column::new(Some("comments"), "comment")));
    let comments =
        LogicalPlanBuilder::scan("comments", provider_as_source(Arc::new(comments)), None)?
            .build()?;
    let plan = LogicalPlanBuilder::scan("listed", provider_as_source(listed), None)?
        .join(comments, JoinType::Left, (key.to_vec(), key.to_vec()), None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn relation(columns: Vec<(&str, ArrayRef)>) -> Result<MemTable> {
    let batch = RecordBatch::try_from_iter(columns)?;
    MemTable::try_new(batch.schema(), vec![vec![batch]])
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
