//! A look at the whole folder before anything is read: what will be read, what looks as if it should be and will not, what cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::folder::{ENDINGS, Packing, entries, event_file, file_number, require_directory};
use crate::error::Result;
use crate::observe::{EventFilesMissing, EventsNotRead};

/// Folders that stand beside those of the topics.
const BESIDE: [&str; 2] = ["ref", "truth"];
/// How many gaps of a topic are named.
const NAMED_GAPS: usize = 8;

/// What there is to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderSurvey {
    pub files: usize,
    /// Whether one of them holds anything: what a compressed file unpacks to is not known before it is read.
    pub has_content: bool,
    /// The highest file number + 1 of each topic that has files.
    partitions: BTreeMap<String, u32>,
}

impl FolderSurvey {
    /// Number of partitions that the files of these topics make: the highest file number + 1 (K1); 0 without any file.
    pub fn partitions(&self, topics: &[&str]) -> u32 {
        let of_topics = topics
            .iter()
            .filter_map(|topic| self.partitions.get(*topic));
        of_topics.copied().max().unwrap_or(0)
    }
}

/// Looks at the files of all `topics` and at what stands beside them.
///
/// Names that will not be read are reported as warnings, and so are the numbers that a topic lacks below its highest (K47). Fails
/// for a name with a number that no partition has, two files of one partition, and what is no regular file or cannot be read.
pub fn survey(dir: &Path, topics: &[&str]) -> Result<FolderSurvey> {
    require_directory(dir)?;
    report_beside(dir, topics)?;
    let mut found = FolderSurvey::default();
    for topic in topics {
        let mut numbers = BTreeSet::new();
        for path in entries(&dir.join(topic))? {
            match file_number(&path)? {
                Some(number) => {
                    numbers.insert(number);
                }
                None if is_hidden(&path) => {}
                None => EventsNotRead {
                    path: &path,
                    hint: &hint(&path),
                }
                .report(),
            }
        }
        for number in &numbers {
            let file = event_file(dir, topic, number.cast_signed())?;
            let Some(file) = file else { continue };
            let length = fs::metadata(&file.path).map_or(0, |metadata| metadata.len());
            found.files += 1;
            found.has_content |= length > 0 || file.packing != Packing::Plain;
        }
        if let Some(highest) = numbers.last() {
            found.partitions.insert((*topic).to_owned(), highest + 1);
        }
        let gaps = gaps(&numbers);
        if !gaps.is_empty() {
            let files = named(topic, &gaps);
            EventFilesMissing { topic, files }.report();
        }
    }
    Ok(found)
}

/// Folders and files beside the topics' folders that hold what looks like events.
fn report_beside(dir: &Path, topics: &[&str]) -> Result<()> {
    for path in entries(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_expected = topics.iter().chain(&BESIDE).any(|known| *known == name);
        if is_expected || is_hidden(&path) {
            continue;
        }
        let hint = if path.is_dir() {
            // One that cannot be listed is nobody's business here.
            let inside = entries(&path).unwrap_or_default();
            if !inside.iter().any(|path| looks_like_events(path)) {
                continue;
            }
            let short = |topic: &str| topic.split('.').next().unwrap_or_default().to_lowercase();
            let meant = topics
                .iter()
                .find(|topic| short(topic) == short(&name))
                .map(|topic| format!("; did you mean {topic}?"))
                .unwrap_or_default();
            format!("folders are named after topics{meant}")
        } else if looks_like_events(&path) {
            "event files stand in the folder of their topic".to_owned()
        } else {
            continue;
        };
        EventsNotRead {
            path: &path,
            hint: &hint,
        }
        .report();
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

fn looks_like_events(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    [".ndjson", ".jsonl", ".json"]
        .iter()
        .any(|part| name.contains(part))
}

/// What to do about a name in a topic's folder.
fn hint(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_lowercase().replacen(".jsonl", ".ndjson", 1);
    let is_close = ENDINGS.iter().any(|(ending, _)| lower.ends_with(ending));
    if is_close {
        format!("rename it to {lower}")
    } else {
        "event files are named 0.ndjson, 0.ndjson.gz or 0.ndjson.zst, by partition".to_owned()
    }
}

/// Numbers that are missing below the highest, as ranges with both ends.
fn gaps(numbers: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut gaps = Vec::new();
    let mut expected = 0;
    for &number in numbers {
        if number > expected {
            gaps.push((expected, number - 1));
        }
        expected = number + 1;
    }
    gaps
}

fn named(topic: &str, gaps: &[(u32, u32)]) -> String {
    let name = |(first, last): &(u32, u32)| {
        if first == last {
            format!("{topic}/{first}.ndjson")
        } else {
            format!("{topic}/{first}.ndjson to {topic}/{last}.ndjson")
        }
    };
    let mut names: Vec<String> = gaps.iter().take(NAMED_GAPS).map(name).collect();
    if gaps.len() > NAMED_GAPS {
        names.push(format!("and {} more", gaps.len() - NAMED_GAPS));
    }
    names.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
