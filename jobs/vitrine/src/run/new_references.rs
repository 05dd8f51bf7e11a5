//! Reference data that change while the service runs: looked at once an epoch, archived, put in force.
//!
//! Files are replaced one after the other, and copying takes time: only what two looks in a row have found is meant. Data that
//! cannot be read change nothing, and are told of once.

use std::path::Path;
use std::sync::Arc;

use pipeline::time::wall;
use tokio::sync::mpsc;

use crate::config::Config;
use jobs::reference::{ReferenceArchive, ReferenceData};

/// Versions other than `in_force` as they appear in the folder, each archived before it is told.
pub fn new_references(
    config: &Config,
    archive: Arc<ReferenceArchive>,
    in_force: String,
) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (dir, every) = (config.reference.dir.clone(), config.epoch.interval);
    // Where there was no folder to begin with, that has been said.
    let mut watch = Watch::new(in_force, exists(&dir).err());
    let mut known = None;
    tokio::spawn(async move {
        while !sender.is_closed() {
            wall::sleep(every).await;
            match watch.look(version(&dir, &mut known)) {
                Next::Wait => {}
                Next::Warn(reason) => {
                    tracing::warn!(
                        reason,
                        "the former version of the reference data stays in force"
                    );
                }
                Next::PutInForce(version) => match archive.add(&dir).await {
                    Ok(kept) if kept.version() == version => {
                        tracing::info!(version, "reference data have changed");
                        watch.in_force.clone_from(&version);
                        // The process has ended if nobody listens.
                        let _ = sender.send(version);
                    }
                    // They have changed once more: the next looks will say.
                    Ok(_) => {}
                    Err(error) => tracing::warn!(
                        error = format!("{error:#}"),
                        "reference data cannot be archived; the former version stays in force"
                    ),
                },
            }
        }
    });
    receiver
}

/// Content of the files that were read last, and what is wrong with it.
type Known = Option<(String, Result<(), String>)>;

/// The version that lies in the folder, or why there is none. Files that are those of the last look are not parsed again.
fn version(dir: &Path, known: &mut Known) -> Result<String, String> {
    exists(dir)?;
    let files = ReferenceData::read_files(dir).map_err(|error| error.to_string())?;
    let version = ReferenceData::version_of(&files);
    let parsed = match known.take().filter(|(last, _)| *last == version) {
        Some((_, parsed)) => parsed,
        None => match ReferenceData::from_files(&files) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
    };
    *known = Some((version.clone(), parsed.clone()));
    parsed.map(|()| version)
}

fn exists(dir: &Path) -> Result<(), String> {
    match dir.exists() {
        true => Ok(()),
        false => Err(format!("there is no folder {}", dir.display())),
    }
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    PutInForce(String),
    Warn(String),
}

/// What looks have found so far.
struct Watch {
    in_force: String,
    last: Result<String, String>,
    /// What has been warned of and still holds.
    said: Option<String>,
}

impl Watch {
    fn new(in_force: String, said: Option<String>) -> Self {
        Self {
            last: Ok(in_force.clone()),
            in_force,
            said,
        }
    }

    fn look(&mut self, found: Result<String, String>) -> Next {
        let before = std::mem::replace(&mut self.last, found.clone());
        if before != found {
            return Next::Wait;
        }
        match found {
            Ok(version) => {
                self.said = None;
                match version == self.in_force {
                    true => Next::Wait,
                    false => Next::PutInForce(version),
                }
            }
            Err(reason) if self.said.as_ref() == Some(&reason) => Next::Wait,
            Err(reason) => {
                self.said = Some(reason.clone());
                Next::Warn(reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(watch: &mut Watch, found: &[Result<&str, &str>]) -> Vec<Next> {
        let found = found.iter().map(|look| match look {
            Ok(version) => Ok((*version).to_owned()),
            Err(reason) => Err((*reason).to_owned()),
        });
        found.map(|look| watch.look(look)).collect()
    }

    #[test]
    fn a_version_that_stays_is_put_in_force() {
        let mut watch = Watch::new("a".to_owned(), None);
        let put = Next::PutInForce("c".to_owned());
        assert_eq!(
            looks(&mut watch, &[Ok("a"), Ok("b"), Ok("c"), Ok("c")]),
            [Next::Wait, Next::Wait, Next::Wait, put],
            "b was on its way to c"
        );
        watch.in_force = "c".to_owned();
        assert_eq!(looks(&mut watch, &[Ok("c")]), [Next::Wait]);
    }

    #[test]
    fn what_could_not_be_archived_is_tried_again() {
        let mut watch = Watch::new("a".to_owned(), None);
        let put = || Next::PutInForce("b".to_owned());
        assert_eq!(
            looks(&mut watch, &[Ok("b"), Ok("b"), Ok("b")]),
            [Next::Wait, put(), put()]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_once() {
        let mut watch = Watch::new("a".to_owned(), Some("no folder".to_owned()));
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
        let told: Vec<Next> = looks(&mut watch, &found)
            .into_iter()
            .filter(|next| *next != Next::Wait)
            .collect();
        let line_3 = || Next::Warn("line 3".to_owned());
        assert_eq!(told, [line_3(), line_3()], "once each time it breaks");
    }
}
