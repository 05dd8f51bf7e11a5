//! From the files of the reference folder to [`ReferenceData`].

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use arrow::error::ArrowError;
use sha2::{Digest, Sha256};

use super::file::{self, Content};
use super::reference_data::{LoadedTable, ReferenceData};
use super::schema::{CALENDAR, CUSTOMER, NOT_READ_YET, ReferenceTable, TABLES};
use super::validity::Validity;
use super::{calendar, customers};
use crate::error::{Error, Problem, Result};

/// The files of a reference folder, not parsed yet: name → content.
pub type ReferenceFiles = BTreeMap<String, Vec<u8>>;

const UNUSABLE: &str = "reference data cannot be read";

impl ReferenceData {
    /// Reads every table of the contract from `dir`. Each table is optional; other files are ignored with a warning.
    ///
    /// # Errors
    /// Everything that cannot be read, each with file, line and column.
    pub fn load(dir: &Path) -> Result<Self> {
        Self::from_files(&Self::read_files(dir)?)
    }

    /// Whether there is a folder at all; one that cannot be looked at is an error.
    pub fn folder_exists(dir: &Path) -> Result<bool> {
        dir.try_exists().map_err(|error| unreadable(dir, &error))
    }

    /// The files of `dir` by name, not parsed yet.
    pub fn read_files(dir: &Path) -> Result<ReferenceFiles> {
        let mut files = ReferenceFiles::new();
        for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
            let path = entry.map_err(|error| unreadable(dir, &error))?.path();
            if let Some(name) = path.file_name().filter(|_| path.is_file()) {
                let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                files.insert(name.to_string_lossy().into_owned(), bytes);
            }
        }
        Ok(files)
    }

    /// Content hash of those of the files that are read: SHA-256 in hexadecimal.
    pub fn version_of(files: &ReferenceFiles) -> String {
        let mut hash = Sha256::new();
        for (file, bytes) in files.iter().filter(|(file, _)| table_of(file).is_some()) {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hex::encode(hash.finalize())
    }

    /// What [`ReferenceData::load`] reads, from file names and their bytes.
    pub fn from_files(files: &ReferenceFiles) -> Result<Self> {
        let mut data = Self::without_tables(Self::version_of(files));
        let mut problems = Vec::new();
        for (file, bytes) in files {
            match table_of(file) {
                Some(table) => data.add_table(table, file, bytes, &mut problems),
                None => data
                    .warnings
                    .push(Problem::of_file(file, why_ignored(file))),
            }
        }
        if let Some(loaded) = data.table(CUSTOMER) {
            match customers::read(&loaded.batch) {
                Ok(customers) => data.customers = customers,
                Err(error) => problems.push(of_columns(&loaded.file, &error)),
            }
        }
        if let Some(loaded) = data.table(CALENDAR) {
            match calendar::read(loaded, &mut problems) {
                Ok(days) => data.calendar = days,
                Err(error) => problems.push(of_columns(&loaded.file, &error)),
            }
        }
        if problems.is_empty() {
            Ok(data)
        } else {
            Err(Error::with_problems(UNUSABLE, problems))
        }
    }

    fn add_table(
        &mut self,
        table: &'static ReferenceTable,
        file: &str,
        bytes: &[u8],
        problems: &mut Vec<Problem>,
    ) {
        if let Some(other) = self.table(table.name) {
            let message = format!("{} holds the same table; keep one of them", other.file);
            problems.push(Problem::of_file(file, message));
            return;
        }
        let Some(content) = file::read(file, bytes, table, problems) else {
            return;
        };
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
