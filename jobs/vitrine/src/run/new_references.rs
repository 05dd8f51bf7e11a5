//! Reference data that change while the service runs: read once per epoch, archived, then handed to the process.
//!
//! Files are replaced one after the other, and copying takes time: only a content that two consecutive reads have found counts. Data
//! that cannot be read change nothing and are reported once. Files are read and parsed on a thread of their own: those of the runtime
//! must not block.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobs::reference::{ReferenceArchive, ReferenceData, ReferenceFiles};
use pipeline::time::wall;
use tokio::sync::mpsc;

use crate::config::Config;

/// Receives versions other than `in_force` as they appear in the folder, each archived before.
pub(super) fn new_references(
    config: &Config,
    archive: Arc<ReferenceArchive>,
    in_force: Arc<ReferenceData>,
) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (dir, interval) = (config.reference.dir.clone(), config.epoch.interval);
    // A folder that is missing at start has been reported.
    let mut watch = FolderWatch::new(in_force.version().to_owned(), exists(&dir).err());
    let mut folder = ReferenceFolder::new(dir, in_force);
    tokio::spawn(async move {
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
                Err(error) => {
                    tracing::error!(%error, "reference data are watched no longer; restart to see later changes");
                    return;
                }
            };
            match (watch.observe(version_of(&found)), found) {
                (Next::Warn(reason), _) => {
                    tracing::warn!(
                        reason,
                        "the former version of the reference data stays in force"
                    );
                }
                (Next::Apply(version), Ok(content)) => {
                    match archive.add(content.files, &content.data).await {
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
    receiver
}

/// The files of the folder at one moment, and what they hold.
struct FolderContent {
    files: ReferenceFiles,
    data: Arc<ReferenceData>,
}

fn version_of(found: &Result<FolderContent, String>) -> Result<String, String> {
    match found {
        Ok(content) => Ok(content.data.version().to_owned()),
        Err(reason) => Err(reason.clone()),
    }
}

/// The folder, and the content that was parsed last: unchanged files are not parsed again.
struct ReferenceFolder {
    dir: PathBuf,
    version: String,
    /// The data of this version, or what is wrong with them.
    parsed: Result<Arc<ReferenceData>, String>,
}

impl ReferenceFolder {
    /// A folder whose last content was `parsed`.
    fn new(dir: PathBuf, parsed: Arc<ReferenceData>) -> Self {
        Self {
            dir,
            version: parsed.version().to_owned(),
            parsed: Ok(parsed),
        }
    }

    /// What is in the folder now, or why it cannot be used.
    fn read(&mut self) -> Result<FolderContent, String> {
        exists(&self.dir)?;
        let files = ReferenceData::read_files(&self.dir).map_err(|error| error.to_string())?;
        let version = ReferenceData::version_of(&files);
        if self.version != version {
            self.parsed = ReferenceData::from_files(&files)
                .map(Arc::new)
                .map_err(|error| error.to_string());
            self.version = version;
        }
        let data = self.parsed.clone()?;
        Ok(FolderContent { files, data })
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
        let in_force = Arc::new(ReferenceData::load(dir.path()).unwrap());
        let mut folder = ReferenceFolder::new(dir.path().to_owned(), in_force.clone());
        let unchanged = folder.read().unwrap();
        assert!(Arc::ptr_eq(&unchanged.data, &in_force));

        fs::write(&file, "sku_id\nS2\n").unwrap();
        let changed = folder.read().unwrap();
        assert_ne!(changed.data.version(), in_force.version());
        assert_eq!(
            ReferenceData::version_of(&changed.files),
            changed.data.version()
        );
        let again = folder.read().unwrap();
        assert!(Arc::ptr_eq(&again.data, &changed.data));

        fs::write(&file, "brand_id\nB1\n").unwrap();
        let reason = folder.read().err().unwrap();
        assert!(reason.contains("ref_sku.csv"), "{reason}");
        assert_eq!(folder.read().err().unwrap(), reason);

        fs::remove_dir_all(dir.path()).unwrap();
        let reason = folder.read().err().unwrap();
        assert!(reason.contains("there is no folder"), "{reason}");
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
