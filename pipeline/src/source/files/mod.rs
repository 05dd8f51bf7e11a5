//! Records from event files: `DIR/<topic>/<partition>.ndjson`, also `.gz` and `.zst`.
//!
//! One event a line in arrival order; the number of the line, from 0, is the offset. Files may grow, and are followed if
//! [`FileEnds`] says so; compressed ones are complete when they are opened. The sequence over all files as they stand depends on
//! their content and the starts alone (K1), however polls cut it.
//!
//! * `survey`: a look at the whole folder, for what is not read. `folder`: names, and which file belongs to which partition.
//! * `content`, `gzip`: the bytes of a file. `line`: lines of them. `reader`: lines as records.
//! * `merge`, `recorded_at`: the order of several files. `file_source`: all of them as one source.

mod content;
mod file_source;
mod folder;
mod gzip;
mod identity;
mod line;
mod merge;
mod reader;
mod recorded_at;
mod survey;

pub use file_source::{FileSettings, FileSource};
pub use identity::LinesRead;
pub use reader::FileEnds;
pub use survey::{FolderSurvey, survey};
