//! Tables as the archive keeps them: Arrow IPC, whose hash is the version.

use std::io::{Cursor, Write};

use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

/// Name and hash of a table as [`encode`] gives it.
pub(super) type TableHash<'t> = (&'t str, [u8; 32]);

/// The hashes of these tables.
pub(super) fn hashes_of<'t>(
    tables: impl Iterator<Item = (&'static str, &'t RecordBatch)>,
) -> Result<Vec<TableHash<'static>>, ArrowError> {
    let mut hashes = Vec::new();
    for (name, rows) in tables {
        let mut hash = Sha256::new();
        encode(rows, &mut hash)?;
        hashes.push((name, hash.finalize().into()));
    }
    Ok(hashes)
}

/// The version of tables that are encoded already.
pub(in crate::reference) fn version_of_encoded<'t>(
    tables: impl Iterator<Item = (&'t str, &'t [u8])>,
) -> String {
    let hashes = tables.map(|(name, bytes)| (name, hash_of(bytes)));
    version_of_hashes(hashes.collect())
}

/// The hash of a table that is encoded already.
pub(in crate::reference) fn hash_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The version of tables with these hashes: a hash of names and hashes, in hexadecimal.
pub(super) fn version_of_hashes(mut hashes: Vec<TableHash<'_>>) -> String {
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
