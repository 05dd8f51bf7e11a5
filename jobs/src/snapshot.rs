//! What queries of one epoch may see: the stored tables at the versions that its record pins, with its reference data and views.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use pipeline::publisher::EpochRecord;
use pipeline::query::catalog::{Finality, PinnedFile, PinnedTable, Snapshot};
use pipeline::table::{TableSpec, Tables};
use pipeline::time::Zone;

use crate::catalogue;
use crate::error::Result;
use crate::reference::{ReferenceArchive, ReferenceData};

/// Makes snapshots of the epochs of one storage. It keeps what it has read of tables and reference data, so that the next snapshot
/// reads only what is new.
pub struct SnapshotReader {
    zone: Zone,
    tables: Tables,
    specs: Vec<TableSpec>,
    archive: ReferenceArchive,
}

impl SnapshotReader {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// A table of the catalogue that cannot be described.
    pub fn new(store: Arc<dyn ObjectStore>, zone: Zone) -> Result<Self> {
        Ok(Self {
            zone,
            tables: Tables::new(store.clone()),
            specs: catalogue::stored_tables(zone)?,
            archive: ReferenceArchive::new(store),
        })
    }

    /// Everything that queries of this epoch may see.
    ///
    /// # Errors
    /// A storage that cannot be read, or does not hold what the epoch pins.
    pub async fn snapshot(&self, epoch: &EpochRecord) -> Result<Snapshot> {
        let keys = row_keys();
        let mut tables = Vec::new();
        for spec in &self.specs {
            let key = keys.get(&spec.full_name()).cloned();
            tables.push(
                self.pinned_table(spec, key.unwrap_or_default(), epoch)
                    .await?,
            );
        }
        let reference = self.reference(epoch).await?;
        let finality = epoch.finality.iter().map(|row| Finality {
            table: row.table.clone(),
            window_kind: row.window_kind.clone(),
            final_until: row.until,
        });
        Ok(Snapshot {
            epoch: epoch.epoch,
            committed_at: epoch.committed_at,
            zone: self.zone.0,
            tables,
            finality: finality.collect(),
            reference: reference
                .tables()
                .map(|(name, rows)| (name.to_owned(), rows.clone()))
                .collect(),
            views: catalogue::views()?,
        })
    }

    /// A table with the files that the epoch pins; with none where the epoch does not know it.
    async fn pinned_table(
        &self,
        spec: &TableSpec,
        key: Vec<String>,
        epoch: &EpochRecord,
    ) -> Result<PinnedTable> {
        let name = spec.full_name();
        let files = match epoch.tables.get(&name) {
            Some(pinned) => {
                let found = self.tables.pinned_files(&name, pinned).await;
                let version = pinned.version;
                found.map_err(|error| {
                    error.context(format!("table={name} cannot be read at version={version}"))
                })?
            }
            None => Arc::default(),
        };
        let files = files.iter().map(|file| PinnedFile {
            path: file.location.clone(),
            size: file.size,
            partition_values: file.partition_values.clone().into_iter().collect(),
            rows: Some(file.rows),
        });
        Ok(PinnedTable {
            schema_name: spec.schema_name.clone(),
            name: spec.name.clone(),
            schema: spec.schema.clone(),
            partition_by: spec.partition_by.clone(),
            key,
            files: files.collect(),
        })
    }

    /// The reference data that were in force in an epoch.
    ///
    /// # Errors
    /// A storage that cannot be read, or does not hold them.
    pub async fn reference(&self, epoch: &EpochRecord) -> Result<Arc<ReferenceData>> {
        self.archive.read(&epoch.reference).await
    }

    /// Reads the Delta logs of the epoch's tables, as far back as its readers need them.
    ///
    /// # Errors
    /// The first object of a log that is not what was published.
    pub async fn check_logs(&self, epoch: &EpochRecord) -> Result<()> {
        for (table, pinned) in &epoch.tables {
            self.tables.check_log(table, pinned).await?;
        }
        Ok(())
    }
}

/// The columns that name a row, of each table whose rows have revisions.
fn row_keys() -> BTreeMap<String, Vec<String>> {
    schemas::table::all_tables()
        .into_iter()
        .filter(|table| matches!(table.schema_name, "metrics" | "feeds"))
        .map(|table| {
            let key = table.key.iter().map(|name| (*name).to_owned()).collect();
            (format!("{}.{}", table.schema_name, table.name), key)
        })
        .collect()
}
