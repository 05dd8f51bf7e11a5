//! Event files.

use std::path::Path;

use tracing::warn;

/// Something in the folder of event files looks as if it should be read and is not.
pub(crate) struct EventsNotRead<'a> {
    pub path: &'a Path,
    /// What to do about it.
    pub hint: &'a str,
}

impl EventsNotRead<'_> {
    pub(crate) fn report(self) {
        let Self { path, hint } = self;
        // Quoted: anybody may have chosen the name.
        warn!(target: "pipeline::source::files", ?path, hint, "this is not read");
    }
}

/// A topic has files of higher numbers than these, which do not exist: they count as empty partitions.
pub(crate) struct EventFilesMissing<'a> {
    pub topic: &'a str,
    pub files: String,
}

impl EventFilesMissing<'_> {
    pub(crate) fn report(self) {
        let Self { topic, files } = self;
        warn!(
            target: "pipeline::source::files",
            topic,
            files,
            "event files are missing below the highest number; they count as empty"
        );
    }
}

/// A run that does not follow files met the end of one inside a line: it is read by a later run, once its end has come (K47).
pub(crate) struct LastLineTorn<'a> {
    pub path: &'a Path,
    /// From 0.
    pub line: i64,
    /// A compressed file does not grow: only a whole one in its place helps.
    pub is_compressed: bool,
}

impl LastLineTorn<'_> {
    pub(crate) fn report(self) {
        let Self {
            path,
            line,
            is_compressed,
        } = self;
        if is_compressed {
            warn!(
                target: "pipeline::source::files",
                ?path,
                line,
                "the last line of a compressed file has no line end and is no whole JSON value: it is not read, and the file is not \
                 followed; write it again with the whole line and start again"
            );
        } else {
            warn!(
                target: "pipeline::source::files",
                ?path,
                line,
                "the last line has no line end and is no whole JSON value: it is not read, and waits for its end"
            );
        }
    }
}
