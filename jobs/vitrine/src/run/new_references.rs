//! Reference data that change while the service runs: read once per epoch, archived, then handed to the process.
//!
//! Files are replaced one after the other, and copying takes time: only a content that two consecutive reads have found counts. Data
//! that cannot be read change nothing and are reported once.

use std::path::Path;
use std::sync::Arc;

use jobs::reference::{ReferenceArchive, ReferenceData};
use pipeline::time::wall;
use tokio::sync::mpsc;

use crate::config::Config;

/// Receives versions other than `in_force` as they appear in the folder, each archived before.
pub(super) fn new_references(
    config: &Config,
    archive: Arc<ReferenceArchive>,
    in_force: String,
) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (dir, interval) = (config.reference.dir.clone(), config.epoch.interval);
    // A folder that is missing at start has been reported.
    let mut watch = FolderWatch::new(in_force, exists(&dir).err());
    let mut parsed = None;
    tokio::spawn(async move {
        while !sender.is_closed() {
            wall::sleep(interval).await;
            match watch.observe(version(&dir, &mut parsed)) {
                Next::Wait => {}
                Next::Warn(reason) => {
                    tracing::warn!(
                        reason,
                        "the former version of the reference data stays in force"
                    );
                }
                Next::Apply(version) => match archive.add(&dir).await {
                    Ok(added) if added.version() == version => {
                        tracing::info!(version, "reference data have changed");
                        watch.in_force.clone_from(&version);
                        // Without a receiver the process has ended.
                        let _ = sender.send(version);
                    }
                    // They have changed again: the next reads decide.
                    Ok(_) => {}
                    Err(error) => tracing::warn!(
                        error = format!("{:#}", anyhow::Error::from(error)),
                        "reference data cannot be archived; the former version stays in force"
                    ),
                },
            }
        }
    });
    receiver
}

/// The version of the files parsed last, and what is wrong with them.
type Parsed = Option<(String, Result<(), String>)>;

/// The version in the folder, or why there is none. Unchanged files are not parsed again.
fn version(dir: &Path, parsed: &mut Parsed) -> Result<String, String> {
    exists(dir)?;
    let files = ReferenceData::read_files(dir).map_err(|error| error.to_string())?;
    let version = ReferenceData::version_of(&files);
    let result = match parsed.take().filter(|(last, _)| *last == version) {
        Some((_, result)) => result,
        None => ReferenceData::from_files(&files)
            .map(|_| ())
            .map_err(|error| error.to_string()),
    };
    *parsed = Some((version.clone(), result.clone()));
    result.map(|()| version)
}

fn exists(dir: &Path) -> Result<(), String> {
    match ReferenceData::folder_exists(dir) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("there is no folder {}", dir.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// What follows from one read of the folder.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    Apply(String),
    Warn(String),
}

/// What the reads of the folder have found so far.
struct FolderWatch {
    in_force: String,
    last: Result<String, String>,
    /// The reason that has been reported and still holds.
    reported: Option<String>,
}

impl FolderWatch {
    fn new(in_force: String, reported: Option<String>) -> Self {
        Self {
            last: Ok(in_force.clone()),
            in_force,
            reported,
        }
    }

    fn observe(&mut self, found: Result<String, String>) -> Next {
        let before = std::mem::replace(&mut self.last, found.clone());
        if before != found {
            return Next::Wait;
        }
        match found {
            Ok(version) => {
                self.reported = None;
                if version == self.in_force {
                    Next::Wait
                } else {
                    Next::Apply(version)
                }
            }
            Err(reason) if self.reported.as_ref() == Some(&reason) => Next::Wait,
            Err(reason) => {
                self.reported = Some(reason.clone());
                Next::Warn(reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(watch: &mut FolderWatch, found: &[Result<&str, &str>]) -> Vec<Next> {
        let found = found.iter().map(|look| match look {
            Ok(version) => Ok((*version).to_owned()),
            Err(reason) => Err((*reason).to_owned()),
        });
        found.map(|look| watch.observe(look)).collect()
    }

    #[test]
    fn a_version_that_stays_is_applied() {
        let mut watch = FolderWatch::new("a".to_owned(), None);
        let apply = Next::Apply("c".to_owned());
        assert_eq!(
            looks(&mut watch, &[Ok("a"), Ok("b"), Ok("c"), Ok("c")]),
            [Next::Wait, Next::Wait, Next::Wait, apply],
            "b was replaced by c at once"
        );
        watch.in_force = "c".to_owned();
        assert_eq!(looks(&mut watch, &[Ok("c")]), [Next::Wait]);
    }

    #[test]
    fn a_version_that_could_not_be_archived_is_tried_again() {
        let mut watch = FolderWatch::new("a".to_owned(), None);
        let apply = || Next::Apply("b".to_owned());
        assert_eq!(
            looks(&mut watch, &[Ok("b"), Ok("b"), Ok("b")]),
            [Next::Wait, apply(), apply()]
        );
    }

    #[test]
    fn unreadable_data_are_reported_once() {
        let mut watch = FolderWatch::new("a".to_owned(), Some("no folder".to_owned()));
        let found = [
            Err("no folder"),
            Err("no folder"),
            Err("line 3"),
            Err("line 3"),
            Err("line 3"),
            Ok("a"),
            Ok("a"),
            Err("line 3"),
            Err("line 3"),
        ];
        let reported: Vec<Next> = looks(&mut watch, &found)
            .into_iter()
            .filter(|next| *next != Next::Wait)
            .collect();
        let line_3 = || Next::Warn("line 3".to_owned());
        assert_eq!(
            reported,
            [line_3(), line_3()],
            "once each time they become unreadable"
        );
    }
}
