//! The folder of event files: which file belongs to which partition.

use std::fs::{File, Metadata};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::error::{Error, ErrorKind, Result};

/// The highest number of a file: names must not decide how much a process asks for.
pub(super) const MAX_PARTITION: u32 = 4_095;

/// How an event file is packed; its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Endings in which an event file may come.
pub(super) const ENDINGS: [(&str, Packing); 3] = [
    (".ndjson", Packing::Plain),
    (".ndjson.gz", Packing::Gzip),
    (".ndjson.zst", Packing::Zstd),
];

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

/// What a folder holds, in the order of names; nothing where there is none.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let not_listed = |error| {
        let folder = folder.display();
        let message = format!(
            "a folder of event files cannot be read folder={folder}: it has to be a folder that this user may list"
        );
        Error::from_source(ErrorKind::Configuration, message)(error)
    };
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_there(folder) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(not_listed(error)),
    };
    let mut paths = Vec::new();
    for entry in listed {
        paths.push(entry.map_err(not_listed)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Whether there is anything of this name, be it a link to nothing.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// For `map_err`: `line` is the number of the line that was to be read, from 0.
pub(super) fn unreadable(path: &Path, line: i64) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let why = if needs_too_large_window(&error) {
            "the window of its compression is larger than 128 MiB; compress it again with `zstd --long=27` or less"
        } else {
            "the file may be damaged or incomplete"
        };
        let message = format!(
            "event file cannot be read file={} line={line}: {why}",
            path.display()
        );
        Error::from_source(ErrorKind::Unavailable, message)(error)
    }
}

/// Whether the decoder of zstd refuses a frame for the memory that it asks for; all that it says is this text.
fn needs_too_large_window(error: &io::Error) -> bool {
    error.to_string() == "Frame requires too much memory for decoding"
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
pub(super) fn file_number(path: &Path) -> Result<Option<u32>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(stem) = ENDINGS
        .iter()
        .find_map(|(ending, _)| name.strip_suffix(ending))
    else {
        return Ok(None);
    };
    // only the form that will be looked for: neither 00.ndjson nor +1.ndjson
    let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || stem != "0" && stem.starts_with('0') {
        return Err(bad_name(
            path,
            "expected a partition number such as 0.ndjson",
        ));
    }
    match stem.parse::<u32>() {
        Ok(number) if number <= MAX_PARTITION => Ok(Some(number)),
        _ => Err(bad_name(
            path,
            format_args!("partition numbers go up to {MAX_PARTITION}"),
        )),
    }
}

/// An event file and how it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventFile {
    pub path: PathBuf,
    pub packing: Packing,
}

/// The file of a partition in whichever form it exists; `None` if there is none. Fails for what cannot be read as a file.
pub(super) fn event_file(dir: &Path, topic: &str, partition: i32) -> Result<Option<EventFile>> {
    let mut found: Option<EventFile> = None;
    for (ending, packing) in ENDINGS {
        let path = dir.join(topic).join(format!("{partition}{ending}"));
        if !is_there(&path) {
            continue;
        }
        if let Some(first) = found {
            let first = first.path.display();
            return Err(bad_name(
                &path,
                format_args!("partition {partition} also exists as {first}; keep one of them"),
            ));
        }
        require_file(&path)?;
        found = Some(EventFile { path, packing });
    }
    Ok(found)
}

/// Refuses what is no regular file, links followed, or cannot be opened. Nothing else is opened: a pipe would wait for ever.
fn require_file(path: &Path) -> Result<Metadata> {
    let refused = |what: &str| {
        Error::new(
            ErrorKind::Configuration,
            format!(
                "event file cannot be used file={}: {what}; remove it or put a regular file there",
                path.display()
            ),
        )
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(refused("it is a link to nothing"));
        }
        Err(error) => return Err(refused("it cannot be looked at").caused_by(error)),
    };
    let kind = metadata.file_type();
    let what = if kind.is_dir() {
        "it is a folder"
    } else if kind.is_fifo() {
        "it is a named pipe"
    } else if kind.is_socket() {
        "it is a socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "it is a device"
    } else {
        let opened = File::open(path);
        return match opened {
            Ok(_) => Ok(metadata),
            Err(error) => Err(refused("this user may not read it").caused_by(error)),
        };
    };
    Err(refused(what))
}
