//! The names that a session knows: for completion, for `\d`, and for the nearest one when somebody mistypes.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::Column;

/// Below this similarity (0 to 1) a name is no suggestion but noise.
const NEAR: f64 = 0.5;

/// Schemas, tables with their columns, functions.
#[derive(Clone, Debug, Default)]
pub struct Names {
    tables: BTreeMap<String, BTreeMap<String, SchemaRef>>,
    functions: Vec<String>,
}

impl Names {
    /// Schemas in alphabetical order.
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Tables and views of a schema in alphabetical order.
    pub fn tables(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.tables
            .get(schema)
            .into_iter()
            .flat_map(|tables| tables.keys().map(String::as_str))
    }

    /// Columns and their types.
    pub fn table(&self, schema: &str, table: &str) -> Option<&SchemaRef> {
        self.tables.get(schema)?.get(table)
    }

    /// Functions in alphabetical order.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Is there a schema of this name?
    pub fn has_schema(&self, schema: &str) -> bool {
        self.tables.contains_key(schema)
    }

    pub(super) fn add_schema(&mut self, schema: &str) {
        self.tables.entry(schema.to_owned()).or_default();
    }

    pub(super) fn add_table(&mut self, schema: &str, table: &str, columns: SchemaRef) {
        self.tables
            .entry(schema.to_owned())
            .or_default()
            .insert(table.to_owned(), columns);
    }

    pub(super) fn set_functions(&mut self, functions: impl IntoIterator<Item = String>) {
        self.functions = functions.into_iter().collect();
        self.functions.sort_unstable();
        self.functions.dedup();
    }

    /// The table most like `schema.table`: of the same name in another schema, or nearly so written.
    pub fn nearest_table(&self, schema: &str, table: &str) -> Option<String> {
        let wanted = format!("{schema}.{table}");
        let all = self
            .tables
            .iter()
            .flat_map(|(schema, tables)| tables.keys().map(move |table| (schema, table)));
        let scored = all.map(|(other_schema, other)| {
            let full = format!("{other_schema}.{other}");
            // A wrong schema is a smaller mistake than a wrong table.
            let bare = similarity(table, other) - if other_schema == schema { 0.0 } else { 0.05 };
            (bare.max(similarity(&wanted, &full) - 0.05), full)
        });
        best(scored)
    }

    /// The function most like `name`.
    pub fn nearest_function(&self, name: &str) -> Option<String> {
        best(
            self.functions
                .iter()
                .map(|function| (similarity(name, function), function.clone())),
        )
    }
}

/// The column most like `name` among those that the query could have meant.
pub(super) fn nearest_column(name: &str, columns: &[Column]) -> Option<String> {
    best(
        columns
            .iter()
            .map(|column| (similarity(name, &column.name), column.name.clone())),
    )
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

/// The highest score that is near at all; the first of equals.
fn best(scored: impl Iterator<Item = (f64, String)>) -> Option<String> {
    let near = scored.filter(|(score, _)| *score >= NEAR);
    near.reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, name)| name)
}
