//! From the files of the reference folder to [`ReferenceData`].

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::file::{self, Content};
use super::reference_data::{LoadedTable, ReferenceData};
use super::schema::{CALENDAR, CUSTOMER, NOT_READ_YET, ReferenceTable, TABLES};
use super::supply::Supply;
use super::validity::Validity;
use super::{archived, calendar, customers};
use crate::error::{Error, Problem, Result};

const UNUSABLE: &str = "reference data cannot be read";

/// The tables in a reference folder as they can be told apart without reading them: equal stamps mean equal content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderStamp(BTreeMap<String, (u64, Option<SystemTime>, u64)>);

impl FolderStamp {
    /// What is in `dir` now.
    ///
    /// # Errors
    /// A folder that cannot be read; a table that is no regular file.
    pub fn of(dir: &Path) -> Result<Self> {
        let listed = Listing::of(dir)?;
        let stamps = listed.tables.into_iter().map(|(name, (_, metadata))| {
            let stamp = (metadata.len(), metadata.modified().ok(), inode(&metadata));
            (name, stamp)
        });
        Ok(Self(stamps.collect()))
    }

    /// What `read` gives of `dir`, and the stamp of what it has read: `None` where that changed meanwhile.
    ///
    /// # Errors
    /// As [`FolderStamp::of`].
    pub fn around<T>(dir: &Path, read: impl FnOnce(&Path) -> T) -> Result<(T, Option<Self>)> {
        let before = Self::of(dir)?;
        let read = read(dir);
        let is_unchanged = Self::of(dir)? == before;
        Ok((read, is_unchanged.then_some(before)))
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// What a folder holds: tables by file name, and names that are no table.
#[derive(Default)]
struct Listing {
    tables: BTreeMap<String, (PathBuf, Metadata)>,
    ignored: Vec<String>,
}

impl Listing {
    /// Opens nothing: what else lies in the folder may be a secret, a device or very large (K48).
    fn of(dir: &Path) -> Result<Self> {
        let mut listed = Self::default();
        for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
            let path = entry.map_err(|error| unreadable(dir, &error))?.path();
            let Some(name) = path.file_name() else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            let metadata = fs::metadata(&path);
            if table_of(&name).is_some() {
                let metadata = metadata.map_err(|error| unreadable(&path, &error))?;
                if !metadata.is_file() {
                    let error =
                        io::Error::other("is no regular file: put a file of this name there");
                    return Err(unreadable(&path, &error));
                }
                listed.tables.insert(name, (path, metadata));
            } else if metadata.is_ok_and(|metadata| !metadata.is_dir()) {
                listed.ignored.push(name);
            }
        }
        listed.ignored.sort_unstable();
        Ok(listed)
    }
}

impl ReferenceData {
    /// Reads every table of the contract from `dir`. Each table is optional; other files are not opened, and warned about.
    ///
    /// # Errors
    /// Everything that cannot be read, each with file, line and column.
    pub fn load(dir: &Path) -> Result<Self> {
        let listed = Listing::of(dir)?;
        let mut data = Self::without_tables();
        let mut problems = Vec::new();
        for (file, (path, _)) in &listed.tables {
            if let Some(table) = table_of(file) {
                data.add_file(table, file, path, &mut problems);
            }
        }
        for file in &listed.ignored {
            let problem = Problem::of_file(file, why_ignored(file));
            data.warnings.push(problem);
        }
        data.warnings.sort();
        match archived::hashes_of(data.tables()) {
            Ok(hashes) => {
                data.version = archived::version_of_hashes(hashes.clone());
                data.hashes = hashes;
            }
            Err(error) => problems.push(of_columns("reference data", &error)),
        }
        data.finished(problems)
    }

    /// Whether there is a folder at all; one that cannot be looked at is an error.
    pub fn folder_exists(dir: &Path) -> Result<bool> {
        dir.try_exists().map_err(|error| unreadable(dir, &error))
    }

    /// Tables by name, as [`ReferenceData::tables`] gave them, and the version that they were archived under.
    pub(crate) fn from_tables(
        version: &str,
        tables: impl IntoIterator<Item = (String, RecordBatch)>,
    ) -> Result<Self> {
        let mut data = Self::without_tables();
        let mut problems = Vec::new();
        for (name, batch) in tables {
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                problems.push(Problem::of_file(&name, "no reference table has this name"));
                continue;
            };
            let content = Content {
                lines: (1..=batch.num_rows() as u64).collect(),
                batch,
                unknown_columns: Vec::new(),
            };
            data.add_table(table, &name, content, &mut problems);
        }
        version.clone_into(&mut data.version);
        data.finished(problems)
    }

    fn finished(mut self, mut problems: Vec<Problem>) -> Result<Self> {
        if let Some(loaded) = self.table(CUSTOMER) {
            match customers::read(&loaded.batch) {
                Ok(customers) => self.customers = customers,
                Err(error) => problems.push(of_columns(&loaded.file, &error)),
            }
        }
        if let Some(loaded) = self.table(CALENDAR) {
            match calendar::read(loaded, &mut problems) {
                Ok(days) => self.calendar = days,
                Err(error) => problems.push(of_columns(&loaded.file, &error)),
            }
        }
        match Supply::of(&self) {
            Ok(supply) => self.supply = supply,
            Err(error) => problems.push(of_columns("reference data", &error)),
        }
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(Error::with_problems(UNUSABLE, problems))
        }
    }

    fn add_file(
        &mut self,
        table: &'static ReferenceTable,
        file: &str,
        path: &Path,
        problems: &mut Vec<Problem>,
    ) {
        if let Some(other) = self.table(table.name) {
            let message = format!("{} holds the same table; keep one of them", other.file);
            problems.push(Problem::of_file(file, message));
            return;
        }
        if let Some(content) = file::read(file, path, table, problems) {
            self.add_table(table, file, content, problems);
        }
    }

    fn add_table(
        &mut self,
        table: &'static ReferenceTable,
        file: &str,
        content: Content,
        problems: &mut Vec<Problem>,
    ) {
        let Content {
            batch,
            lines,
            unknown_columns,
        } = content;
        for column in unknown_columns {
            let message = format!("column `{column}` is not read");
            self.warnings.push(Problem::of_file(file, message));
        }
        match Validity::of(table, &batch) {
            Ok(validity) => self.tables.push(LoadedTable {
                table,
                file: file.to_owned(),
                batch,
                lines,
                validity,
            }),
            Err(error) => problems.push(of_columns(file, &error)),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let problem = Problem::of_file(&path.display().to_string(), error.to_string());
    Error::with_problems(UNUSABLE, vec![problem])
}

fn of_columns(file: &str, error: &ArrowError) -> Problem {
    Problem::of_file(file, error.to_string())
}

fn table_of(file: &str) -> Option<&'static ReferenceTable> {
    let (stem, extension) = file.rsplit_once('.')?;
    TABLES
        .iter()
        .find(|table| table.name == stem && matches!(extension, "csv" | "parquet"))
}

fn why_ignored(file: &str) -> String {
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    if NOT_READ_YET.contains(&stem) {
        return "no metric reads this table yet; it is ignored".to_owned();
    }
    let similarity = |table: &&ReferenceTable| strsim::jaro_winkler(table.name, stem);
    let nearest = TABLES
        .iter()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .map(|table| format!(" (nearest: {}.csv)", table.name));
    format!(
        "no reference table has this file name; it is ignored{}",
        nearest.unwrap_or_default()
    )
}
