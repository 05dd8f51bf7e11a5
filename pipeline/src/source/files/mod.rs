//! Records from event files: `DIR/<topic>/<partition>.ndjson`, also `.gz` and `.zst`.
//!
//! One event a line in arrival order; the number of the line, from 0, is the offset. Files are complete when they are
//! opened: what is appended later is not seen. The sequence over all files depends on their content and the starts alone
//! (K1), however polls cut it.

mod file_source;
mod folder;
mod identity;
mod merge;
mod reader;
mod recorded_at;

pub use file_source::FileSource;
pub use folder::file_partitions;
pub use identity::LinesRead;
