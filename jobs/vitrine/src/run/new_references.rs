//! Reference data that change while the service runs: read once per epoch, archived, then handed to the process.
//!
//! Files are replaced one after the other, and copying takes time: only a content that two consecutive reads have found counts. Data
//! that cannot be read change nothing and are reported once. Files are read and parsed on a thread of their own: those of the runtime
//! must not block.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobs::reference::{FolderStamp, ReferenceArchive, ReferenceData};
use pipeline::time::wall;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Config;

/// Receives versions other than `in_force` as they appear in the folder, each archived before; and the task that looks for them, which
/// ends once nobody receives them. `stamp` is that of the folder when it was read, if it stayed.
pub(super) fn new_references(
    config: &Config,
    archive: Arc<ReferenceArchive>,
    (in_force, stamp): (Arc<ReferenceData>, Option<FolderStamp>),
) -> (mpsc::UnboundedReceiver<String>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (dir, interval) = (config.reference.dir.clone(), config.epoch.interval);
    // A folder that is missing at start has been reported.
    let mut watch = FolderWatch::new(in_force.version().to_owned(), exists(&dir).err());
    let mut folder = ReferenceFolder::new(dir, in_force, stamp);
    let looking = tokio::spawn(async move {
        while !sender.is_closed() {
            wall::sleep(interval).await;
            let read = tokio::task::spawn_blocking(move || {
                let found = folder.read();
                (folder, found)
            });
            let found = match read.await {
                Ok((returned, found)) => {
                    folder = returned;
                    found
                }
                Err(panic) => resume_unwind(panic.into_panic()),
            };
            match (watch.observe(version_of(&found)), found) {
                (Next::Warn(reason), _) => {
                    tracing::warn!(
                        reason,
                        "the former version of the reference data stays in force"
                    );
                }
                (Next::Apply(version), Ok(data)) => {
                    match archive.add(&data).await {
                        Ok(()) => {
                            tracing::info!(version, "reference data have changed");
                            watch.in_force.clone_from(&version);
                            // Without a receiver the process has ended.
                            let _ = sender.send(version);
                        }
                        Err(error) => tracing::warn!(
                            error = format!("{:#}", anyhow::Error::from(error)),
                            "reference data cannot be archived; the former version stays in force"
                        ),
                    }
                }
                (Next::Wait | Next::Apply(_), _) => {}
            }
        }
    });
    (receiver, looking)
}

fn version_of(found: &Result<Arc<ReferenceData>, String>) -> Result<String, String> {
    match found {
        Ok(data) => Ok(data.version().to_owned()),
        Err(reason) => Err(reason.clone()),
    }
}

/// The folder, and what was read of it last: unchanged files are not opened again.
struct ReferenceFolder {
    dir: PathBuf,
    /// What was there when it was read; `None` where it is to be read again.
    stamp: Option<FolderStamp>,
    /// Its tables, or what is wrong with them.
    read: Result<Arc<ReferenceData>, String>,
}

impl ReferenceFolder {
    /// A folder from which `read` was read when it had this stamp.
    fn new(dir: PathBuf, read: Arc<ReferenceData>, stamp: Option<FolderStamp>) -> Self {
        Self {
            dir,
            stamp,
            read: Ok(read),
        }
    }

    /// What is in the folder now, or why it cannot be used.
    fn read(&mut self) -> Result<Arc<ReferenceData>, String> {
        exists(&self.dir)?;
        let now = FolderStamp::of(&self.dir).map_err(|error| error.to_string())?;
        if self.stamp != Some(now) {
            let (read, stamp) = FolderStamp::around(&self.dir, ReferenceData::load)
                .map_err(|error| error.to_string())?;
            self.read = read.map(Arc::new).map_err(|error| error.to_string());
            self.stamp = stamp;
        }
        self.read.clone()
    }
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_content_is_parsed_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ref_sku.csv");
        fs::write(&file, "sku_id\nS1\n").unwrap();
        let (read, stamp) = FolderStamp::around(dir.path(), ReferenceData::load).unwrap();
        let in_force = Arc::new(read.unwrap());
        let mut folder = ReferenceFolder::new(dir.path().to_owned(), in_force.clone(), stamp);
        let unchanged = folder.read().unwrap();
        assert!(Arc::ptr_eq(&unchanged, &in_force), "read at start");

        fs::write(&file, "sku_id\nS2 \n").unwrap();
        let changed = folder.read().unwrap();
        assert_ne!(changed.version(), in_force.version());
        let again = folder.read().unwrap();
        assert!(Arc::ptr_eq(&again, &changed));

        fs::write(&file, "brand_id\nB1\n").unwrap();
        let reason = folder.read().err().unwrap();
        assert!(reason.contains("ref_sku.csv"), "{reason}");
        assert_eq!(folder.read().err().unwrap(), reason);

        fs::remove_dir_all(dir.path()).unwrap();
        let reason = folder.read().err().unwrap();
        assert!(reason.contains("there is no folder"), "{reason}");
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ref_sku.csv");
        fs::write(&file, "sku_id\nS1\n").unwrap();
        let read_late = |dir: &Path| {
            let read = ReferenceData::load(dir);
            fs::write(&file, "sku_id\nS2 \n").unwrap();
            read
        };
        let (read, stamp) = FolderStamp::around(dir.path(), read_late).unwrap();
        assert_eq!(stamp, None);
        let first = Arc::new(read.unwrap());
        let mut folder = ReferenceFolder::new(dir.path().to_owned(), first.clone(), stamp);
        assert_ne!(folder.read().unwrap().version(), first.version());
    }

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
