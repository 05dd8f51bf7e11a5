//! What one epoch consists of: the boundary between publishing and SQL.
//!
//! A [`Snapshot`] is made from an epoch record alone. Whoever holds it reads the same rows for ever, whatever is published
//! meanwhile: tables are lists of immutable files, never folders to be listed.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use chrono_tz::Tz;
use object_store::path::Path;
use schemas::time::TimestampMs;

use crate::columns::COMMENT;

/// Everything that queries of one epoch may see.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub epoch: i64,
    /// When the epoch record was written.
    pub committed_at: TimestampMs,
    /// The business zone, in which local dates are meant.
    pub zone: Tz,
    pub tables: Vec<PinnedTable>,
    pub finality: Vec<Finality>,
    /// Reference data as of the epoch: `ref.<name>`; comments in the metadata of the schema.
    pub reference: Vec<(String, RecordBatch)>,
    /// Views over the tables, in an order in which each reads only those before it.
    pub views: Vec<ViewDefinition>,
}

/// One stored table at the version that the epoch pins.
#[derive(Clone, Debug)]
pub struct PinnedTable {
    /// The schema under `tables/`, for instance `metrics` (whose stored tables hold all revisions).
    pub schema_name: String,
    pub name: String,
    /// All columns, the partition column among them; metadata [`COMMENT`] on the schema and its fields.
    pub schema: SchemaRef,
    /// The column that the files do not hold because it is the same in all their rows.
    pub partition_by: Option<String>,
    /// The columns that name a row; its revisions share them. Empty: every row stands for itself.
    pub key: Vec<String>,
    pub files: Vec<PinnedFile>,
}

/// One Parquet file.
#[derive(Clone, Debug)]
pub struct PinnedFile {
    /// Where it is in the object store of the session.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// As Delta writes them: text, `None` for NULL.
    pub partition_values: Vec<(String, Option<String>)>,
    /// Rows, if the log has the number.
    pub rows: Option<u64>,
}

/// Rows of `table` for windows of this kind that end at or before `final_until` are final (K7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// With its schema, as in `ops.finality`: `metrics.demand_orders`.
    pub table: String,
    pub window_kind: String,
    /// How far finality has come: the clock less look-ahead and allowed lateness.
    pub final_until: TimestampMs,
}

/// A view: a query with a name.
#[derive(Clone, Debug, Default)]
pub struct ViewDefinition {
    pub schema: String,
    pub name: String,
    pub sql: String,
    pub comment: String,
    /// Columns without an entry keep the comment of the equally named column of a table that the view reads.
    pub column_comments: Vec<(String, String)>,
}

impl PinnedTable {
    pub(super) fn has(&self, column: &str) -> bool {
        self.schema.field_with_name(column).is_ok()
    }

    /// The columns in the order of SQL: those of the files, then the partition column.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let partition = self.partition_by.as_deref();
        let stored = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        stored
            .filter(move |name| Some(*name) != partition)
            .chain(partition)
    }
}

/// What the catalog says about tables and columns.
#[derive(Clone, Debug, Default)]
pub struct Comments {
    tables: BTreeMap<(String, String), TableComments>,
}

#[derive(Clone, Debug, Default)]
struct TableComments {
    text: Option<String>,
    columns: BTreeMap<String, String>,
}

impl Comments {
    /// The comment of a table or view.
    pub fn table(&self, schema: &str, table: &str) -> Option<&str> {
        self.entry(schema, table)?.text.as_deref()
    }

    /// The comment of a column.
    pub fn column(&self, schema: &str, table: &str, column: &str) -> Option<&str> {
        self.entry(schema, table)?
            .columns
            .get(column)
            .map(String::as_str)
    }

    fn entry(&self, schema: &str, table: &str) -> Option<&TableComments> {
        self.tables.get(&(schema.to_owned(), table.to_owned()))
    }

    pub(super) fn describe(&mut self, schema: &str, table: &str, text: &str) {
        self.entry_mut(schema, table).text = Some(text.to_owned()).filter(|text| !text.is_empty());
    }

    pub(super) fn describe_column(&mut self, schema: &str, table: &str, column: &str, text: &str) {
        self.entry_mut(schema, table)
            .columns
            .insert(column.to_owned(), text.to_owned());
    }

    /// Takes the comments over from the metadata of a schema.
    pub(super) fn describe_from(&mut self, schema: &str, table: &str, source: &Schema) {
        let entry = self.entry_mut(schema, table);
        entry.text = source.metadata().get(COMMENT).cloned();
        entry
            .columns
            .extend(source.fields().iter().filter_map(|field| {
                Some((field.name().clone(), field.metadata().get(COMMENT)?.clone()))
            }));
    }

    /// Gives a view the column comments of a table it reads.
    pub(super) fn inherit(&mut self, from: (&str, &str), to: (&str, &str)) {
        let columns = self
            .entry(from.0, from.1)
            .map(|entry| entry.columns.clone())
            .unwrap_or_default();
        let heir = self.entry_mut(to.0, to.1);
        for (column, text) in columns {
            heir.columns.entry(column).or_insert(text);
        }
    }

    fn entry_mut(&mut self, schema: &str, table: &str) -> &mut TableComments {
        self.tables
            .entry((schema.to_owned(), table.to_owned()))
            .or_default()
    }

    /// (schema, table, comment)
    pub(super) fn of_tables(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.tables.iter().filter_map(|((schema, table), entry)| {
            Some((schema.as_str(), table.as_str(), entry.text.as_deref()?))
        })
    }

    /// (schema, table, column, comment)
    pub(super) fn of_columns(&self) -> impl Iterator<Item = (&str, &str, &str, &str)> {
        self.tables.iter().flat_map(|((schema, table), entry)| {
            let columns = entry.columns.iter();
            columns.map(move |(column, text)| {
                (
                    schema.as_str(),
                    table.as_str(),
                    column.as_str(),
                    text.as_str(),
                )
            })
        })
    }
}

/// The schema without metadata at any depth. Comments live in [`Comments`]; inside plans metadata only makes equal types unequal.
pub(super) fn without_metadata(schema: &Schema) -> SchemaRef {
    Schema::new(plain_fields(schema.fields())).into()
}

fn plain_fields(fields: &Fields) -> Fields {
    fields.iter().map(|field| plain_field(field)).collect()
}

fn plain_field(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(plain_field(item).into()),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item).into()),
        DataType::Struct(fields) => DataType::Struct(plain_fields(fields)),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}
