//! Tables as the archive keeps them: Arrow IPC, whose hash is the version.

use std::io::{Cursor, Write};

use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

/// The version of these tables: a hash of their names and of what [`encode`] gives, in hexadecimal.
pub(super) fn version_of<'t>(
    tables: impl Iterator<Item = (&'static str, &'t RecordBatch)>,
) -> Result<String, ArrowError> {
    let mut hashes = Vec::new();
    for (name, rows) in tables {
        let mut hash = Sha256::new();
        encode(rows, &mut hash)?;
        hashes.push((name, hash.finalize().into()));
    }
    Ok(version_of_hashes(hashes))
}

/// The same from tables that are encoded already.
pub(in crate::reference) fn version_of_encoded<'t>(
    tables: impl Iterator<Item = (&'t str, &'t [u8])>,
) -> String {
    let hashes = tables.map(|(name, bytes)| (name, Sha256::digest(bytes).into()));
    version_of_hashes(hashes.collect())
}

fn version_of_hashes(mut hashes: Vec<(&str, [u8; 32])>) -> String {
    hashes.sort_unstable();
    let mut hash = Sha256::new();
    for (name, of_table) in hashes {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(of_table);
    }
    hex::encode(hash.finalize())
}

/// Writes a table.
pub(in crate::reference) fn encode(rows: &RecordBatch, to: impl Write) -> Result<(), ArrowError> {
    let mut writer = FileWriter::try_new(to, &rows.schema())?;
    writer.write(rows)?;
    writer.finish()
}

/// Reads a table that [`encode`] wrote.
pub(in crate::reference) fn decode(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let reader = FileReader::try_new(Cursor::new(bytes), None)?;
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)
}
