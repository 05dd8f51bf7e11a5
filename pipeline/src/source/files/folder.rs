//! The folder of event files: which file belongs to which partition.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::error::{Error, ErrorKind, Result};

/// Endings in which an event file may come.
const ENDINGS: [&str; 3] = [".ndjson", ".ndjson.gz", ".ndjson.zst"];

/// Number of partitions that the files of the customer topics make: the highest file number + 1 (K1); 0 without any file.
pub fn file_partitions(dir: &Path, topics: &[&str]) -> Result<u32> {
    require_directory(dir)?;
    let mut partitions = 0;
    for topic in topics {
        let folder = dir.join(topic);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder, 0))? {
            let path = entry.map_err(unreadable(&folder, 0))?.path();
            if let Some(number) = file_number(&path)? {
                partitions = partitions.max(number + 1);
            }
        }
    }
    Ok(partitions)
}

pub(super) fn require_directory(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Configuration,
        format!(
            "there is no folder of event files dir={}: check its name",
            dir.display()
        ),
    ))
}

/// For `map_err`: `line` is the number of the line that was to be read, from 0.
pub(super) fn unreadable(path: &Path, line: i64) -> impl FnOnce(io::Error) -> Error {
    let message = format!(
        "event file cannot be read file={} line={line}: the file may be damaged or incomplete",
        path.display()
    );
    Error::from_source(ErrorKind::Unavailable, message)
}

fn bad_name(path: &Path, reason: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "event file name is not understood file={}: {reason}",
            path.display()
        ),
    )
}

/// The partition an event file belongs to; `None` for other files.
fn file_number(path: &Path) -> Result<Option<u32>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else {
        return Ok(None);
    };
    // only the form that will be looked for: neither 00.ndjson nor +1.ndjson, nor what does not fit a partition number
    match stem.parse::<u32>() {
        Ok(number) if number.to_string() == stem && i32::try_from(number).is_ok() => {
            Ok(Some(number))
        }
        _ => Err(bad_name(
            path,
            "expected a partition number such as 0.ndjson",
        )),
    }
}

/// The file of a partition in whichever form it exists; `None` if there is none.
pub(super) fn event_file(dir: &Path, topic: &str, partition: i32) -> Result<Option<PathBuf>> {
    let mut found: Option<PathBuf> = None;
    for ending in ENDINGS {
        let path = dir.join(topic).join(format!("{partition}{ending}"));
        if !path.exists() {
            continue;
        }
        if let Some(first) = found {
            let first = first.display();
            return Err(bad_name(
                &path,
                format_args!("partition {partition} also exists as {first}; keep one of them"),
            ));
        }
        found = Some(path);
    }
    Ok(found)
}
