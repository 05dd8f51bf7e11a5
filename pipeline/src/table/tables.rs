//! What a table is, where it lives, and making it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, SchemaRef};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError, TableProperty};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use super::commit::COMMITTING;
use super::content;
use super::delta_log;
use super::error;
use super::files::{DataFile, OpenTable, entry_name};
use super::pinned::{FileSum, TableVersion};
use crate::columns::COMMENT;
use crate::error::{Error, ErrorKind, Result};
use crate::log::get_if_there;
use crate::time::retry;

/// A public table as its owner declares it.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// For example `metrics`.
    pub schema_name: String,
    /// For example `sell_through`.
    pub name: String,
    /// Columns; metadata `comment` on the schema and on its fields goes into the table.
    pub schema: SchemaRef,
    /// A DATE or text column whose values split the table into folders; it is not repeated inside the files.
    pub partition_by: Option<String>,
    /// Columns by which the rows of each file are sorted.
    pub sort_by: Vec<String>,
}

impl TableSpec {
    /// `schema.name`, as SQL and [`Tables`] call it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema_name, self.name)
    }
}

/// The public tables of one storage.
#[derive(Debug)]
pub struct Tables {
    pub(super) store: Arc<dyn ObjectStore>,
    opened: Mutex<HashMap<String, Arc<OpenTable>>>,
}

impl Tables {
    /// Tables of `store`, below its folder `tables`; nothing is read yet.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            opened: Mutex::default(),
        }
    }

    /// Makes the table if it does not exist, with its comments; returns its newest version.
    ///
    /// An existing table must have the same columns (the error names the first that differs); columns that the
    /// specification adds at the end are added to it, if they may be NULL.
    pub async fn ensure(&self, spec: &TableSpec) -> Result<TableVersion> {
        check_partition_column(spec)?;
        let open = self.open(&spec.full_name())?;
        let columns = columns_of(spec)?;
        retry(COMMITTING, "making a table", async || {
            // An error may hide a success: each try looks at the table itself first.
            if !exists(&open).await? {
                make(&open, spec, &columns).await?;
            }
            open.versions.lock().await.reload(&open).await
        })
        .await?;
        fit_columns(&open, &columns).await
    }

    /// The same for a table that an epoch names at this version: one that is missing or older has been lost, and is not made;
    /// one that is not what the epoch pinned is damaged, and the error names the object.
    pub async fn reopen(&self, spec: &TableSpec, named: &TableVersion) -> Result<TableVersion> {
        check_partition_column(spec)?;
        let open = self.open(&spec.full_name())?;
        let columns = columns_of(spec)?;
        retry(COMMITTING, "opening a table", async || {
            let reloaded = open.versions.lock().await.reload(&open).await;
            self.or_damage(&open, named, reloaded).await
        })
        .await?;
        let stored = open.versions.lock().await.version(&open)?;
        self.check_end(&open, stored).await?;
        if stored < named.version {
            return Err(error::too_old(&open.name, stored, named.version));
        }
        let found = {
            let mut versions = open.versions.lock().await;
            versions.pinned_at(&open, named.version).await
        };
        if self.or_damage(&open, named, found).await? != *named {
            return Err(self.blame(&open, named).await?);
        }
        let fitted = fit_columns(&open, &columns).await;
        self.or_damage(&open, named, fitted).await
    }

    /// The files of a pinned version, compared with what the epoch says of them.
    pub async fn pinned_files(
        &self,
        table: &str,
        pinned: &TableVersion,
    ) -> Result<Arc<Vec<DataFile>>> {
        let open = self.open(table)?;
        let found = {
            let mut versions = open.versions.lock().await;
            versions.files_at(&open, pinned.version).await
        };
        let files = self.or_damage(&open, pinned, found).await?;
        if FileSum::of(files.iter()) == pinned.files {
            Ok(files)
        } else {
            Err(self.blame(&open, pinned).await?)
        }
    }

    /// Reads the Delta log as far back as readers of the pinned version need it, and fails where an object of it is not what
    /// was written.
    pub async fn check_log(&self, table: &str, pinned: &TableVersion) -> Result<()> {
        let open = self.open(table)?;
        match delta_log::culprit(&self.store, &open, pinned).await? {
            Some(path) => Err(error::damaged_log(table, path)),
            None => Ok(()),
        }
    }

    /// Reads staged files whole and fails where one is not what was staged. `paths` are from the table's folder.
    pub async fn check_staged(
        &self,
        table: &str,
        paths: impl IntoIterator<Item = &String>,
    ) -> Result<()> {
        let open = self.open(table)?;
        for path in paths {
            content::check_stored(&self.store, &open.location(path)).await?;
        }
        Ok(())
    }

    /// The files of a version, not compared with anything.
    pub(crate) async fn files_at(&self, table: &str, version: i64) -> Result<Arc<Vec<DataFile>>> {
        let open = self.open(table)?;
        let mut versions = open.versions.lock().await;
        versions.files_at(&open, version).await
    }

    /// Readers of a Delta log pass over a commit without a byte, as if it were not there.
    async fn check_end(&self, open: &OpenTable, newest: i64) -> Result<()> {
        let next = open.location(&entry_name(newest + 1));
        match get_if_there(&self.store, &next).await? {
            Some(commit) if commit.is_empty() => Err(error::damaged_log(&open.name, next)),
            _ => Ok(()),
        }
    }

    /// What was read, or the damaged object that is the reason why it was not.
    async fn or_damage<T>(
        &self,
        open: &OpenTable,
        pinned: &TableVersion,
        read: Result<T>,
    ) -> Result<T> {
        let error = match read {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == ErrorKind::Damaged => return Err(error),
            Err(error) => error,
        };
        match delta_log::culprit(&self.store, open, pinned).await {
            Ok(Some(path)) => Err(error::damaged_log(&open.name, path).caused_by(error)),
            Ok(None) | Err(_) => Err(error),
        }
    }

    /// The error of a version that is not what the epoch pinned.
    async fn blame(&self, open: &OpenTable, pinned: &TableVersion) -> Result<Error> {
        Ok(match delta_log::culprit(&self.store, open, pinned).await? {
            Some(path) => error::damaged_log(&open.name, path),
            None => error::other_files(&open.name, pinned.version),
        })
    }

    /// The table's newest version, read from the storage.
    #[cfg(test)]
    pub(super) async fn newest_version(&self, table: &str) -> Result<i64> {
        let open = self.open(table)?;
        let mut versions = open.versions.lock().await;
        versions.reload(&open).await?;
        versions.version(&open)
    }

    /// The table `schema.name`, opened once a process.
    pub(super) fn open(&self, full_name: &str) -> Result<Arc<OpenTable>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = opened.get(full_name) {
            return Ok(Arc::clone(open));
        }
        let bad_name = || error::bad_name(full_name);
        let (schema, name) = full_name.split_once('.').ok_or_else(bad_name)?;
        if ![schema, name].iter().all(|part| is_identifier(part)) {
            return Err(bad_name());
        }
        let folder = Path::from_iter(["tables", schema, name]);
        // The scheme is our own: the store's root is the storage folder, not the root of a file system or a bucket.
        let url = Url::parse(&format!("vitrine:///{folder}/")).map_err(|_| bad_name())?;
        let inside = Arc::new(PrefixStore::new(Arc::clone(&self.store), folder.clone()));
        let log_store = default_logstore(
            inside,
            Arc::clone(&self.store),
            &url,
            &StorageConfig::default(),
        );
        let open = Arc::new(OpenTable {
            name: full_name.to_owned(),
            folder,
            log_store,
            versions: tokio::sync::Mutex::default(),
            removals: tokio::sync::Mutex::default(),
        });
        opened.insert(full_name.to_owned(), Arc::clone(&open));
        Ok(open)
    }
}

/// The columns of a specification, as Delta has them.
fn columns_of(spec: &TableSpec) -> Result<StructType> {
    let columns = spec.schema.as_ref().try_into_kernel();
    columns.map_err(|source| error::delta(&spec.full_name())(DeltaTableError::Arrow { source }))
}

/// Adds to a table whose newest state is known the columns that the specification has at its end; returns its version.
async fn fit_columns(open: &OpenTable, columns: &StructType) -> Result<TableVersion> {
    let mut versions = open.versions.lock().await;
    let state = versions.known(open).await?.snapshot();
    let stored = state.map_err(error::delta(&open.name))?.schema();
    let added = missing_columns(&open.name, &stored, columns)?;
    if !added.is_empty() {
        versions.add_columns(open, added).await?;
    }
    let pinned = versions.pinned(open).await?;
    drop(versions);
    open.removals.lock().await.read_from(pinned.version);
    Ok(pinned)
}

async fn exists(open: &OpenTable) -> Result<bool> {
    let exists = open.log_store.is_delta_table_location().await;
    exists.map_err(error::delta(&open.name))
}

async fn make(open: &OpenTable, spec: &TableSpec, columns: &StructType) -> Result<()> {
    let mut create = DeltaTable::new(Arc::clone(&open.log_store))
        .create()
        .with_save_mode(SaveMode::Ignore)
        .with_table_name(spec.full_name())
        .with_columns(columns.fields().cloned())
        .with_partition_columns(spec.partition_by.clone())
        // A commit every 10 s: two days of history are 17,000 files a table, a month would be 260,000.
        .with_configuration_property(TableProperty::LogRetentionDuration, Some("interval 2 days"))
        .with_configuration_property(TableProperty::CheckpointInterval, Some("100"));
    if let Some(comment) = spec.schema.metadata().get(COMMENT) {
        create = create.with_comment(comment);
    }
    create.await.map_err(error::delta(&open.name))?;
    Ok(())
}

/// Folder names come from table names, so these stay plain.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_partition_column(spec: &TableSpec) -> Result<()> {
    let Some(column) = &spec.partition_by else {
        return Ok(());
    };
    match spec
        .schema
        .field_with_name(column)
        .map(|field| field.data_type())
    {
        Ok(DataType::Date32 | DataType::Utf8) => Ok(()),
        _ => Err(error::bad_partition(&spec.full_name(), column)),
    }
}

/// The columns that `written` has after those of `stored`; an error where a stored column differs or is gone.
fn missing_columns(
    table: &str,
    stored: &StructType,
    written: &StructType,
) -> Result<Vec<deltalake::kernel::StructField>> {
    let differs = |field: &deltalake::kernel::StructField, stored: &str, written: &str| {
        error::other_column(table, field.name(), stored, written)
    };
    let describe = |field: &deltalake::kernel::StructField| {
        format!(
            "{}{}",
            field.data_type(),
            if field.is_nullable() { "" } else { " not null" }
        )
    };
    for field in stored.fields() {
        let Some(mine) = written.field(field.name()) else {
            return Err(differs(field, &describe(field), "nothing"));
        };
        if mine.data_type() != field.data_type() || mine.is_nullable() != field.is_nullable() {
            return Err(differs(field, &describe(field), &describe(mine)));
        }
    }
    let added: Vec<_> = written
        .fields()
        .filter(|field| stored.field(field.name()).is_none())
        .cloned()
        .collect();
    match added.iter().find(|field| !field.is_nullable()) {
        Some(field) => Err(differs(field, "nothing", &describe(field))),
        None => Ok(added),
    }
}

#[cfg(test)]
mod tests;
