#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::super::survey::survey;
use super::*;
use crate::error::ErrorKind;
use crate::kafka::TopicPartition;
use crate::source::Record;
use crate::source::files::FileEnds;

mod growth;
mod identity;
mod order;

const MAX: usize = 64;

fn write(dir: &Path, name: &str, bytes: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn starts(offsets: &[(&str, i64)]) -> Vec<Start> {
    offsets
        .iter()
        .map(|(topic, offset)| Start::new(TopicPartition::new(*topic, 0), *offset))
        .collect()
}

/// All records, and the ends after the poll that saw the last one; `sizes` are the polls' limits, used in turn.
fn read_all(source: &mut FileSource, sizes: &[usize]) -> (Vec<Record>, Vec<(usize, i64)>) {
    let mut records = Vec::new();
    for max in sizes.iter().cycle() {
        let mut items = Vec::new();
        source.poll(*max, &[], &mut items).unwrap();
        let mut ends = Vec::new();
        for item in items {
            match item {
                Item::Record(record) => records.push(record),
                Item::End {
                    input, next_offset, ..
                } => ends.push((input, next_offset)),
                Item::News { .. } => {}
            }
        }
        if source.readers.len() == ends.len() {
            return (records, ends);
        }
    }
    unreachable!("sizes are not empty")
}

fn settings(ends: FileEnds) -> FileSettings {
    FileSettings {
        max_record_bytes: MAX,
        ends,
    }
}

/// Reads files as they are, a torn last line too.
fn open(dir: &Path, offsets: &[(&str, i64)]) -> FileSource {
    open_with(dir, offsets, FileEnds::Final).unwrap()
}

fn open_with(dir: &Path, offsets: &[(&str, i64)], ends: FileEnds) -> Result<FileSource> {
    FileSource::open(dir, &starts(offsets), settings(ends))
}

#[test]
fn k01_a_missing_file_is_an_empty_partition() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/3.ndjson", b"{}\n");
    let found = survey(dir.path(), &["a", "b"]).unwrap();
    assert_eq!(found.partitions(&["a", "b"]), 4);
    for topic in ["a", "b"] {
        let mut source = open(dir.path(), &[(topic, 0)]);
        assert_eq!(read_all(&mut source, &[1]), (vec![], vec![(0, 0)]));
    }
}

#[test]
fn k02_null_and_empty_lines_are_records_with_an_offset_like_any_other() {
    let dir = TempDir::new().unwrap();
    let long = "x".repeat(MAX + 10);
    let fits = "y".repeat(MAX);
    write(
        dir.path(),
        "a/0.ndjson",
        format!("null\n\n{long}\n{fits}\r\n null\n\u{0}").as_bytes(),
    );
    let (records, _) = read_all(&mut open(dir.path(), &[("a", 0)]), &[2]);
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5]);
    let got: Vec<(Option<Bytes>, u64)> = records
        .into_iter()
        .map(|record| (record.payload, record.payload_len))
        .collect();
    let cut = Bytes::from("x".repeat(MAX + 10));
    assert_eq!(
        got,
        [
            (None, 0),
            (Some(Bytes::new()), 0),
            (Some(cut), MAX as u64 + 10),
            (Some(Bytes::from(fits)), MAX as u64),
            // not exactly the line `null`: content, for the verdict to judge
            (Some(Bytes::from_static(b" null")), 5),
            (Some(Bytes::from_static(b"\0")), 1),
        ]
    );
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let dir = TempDir::new().unwrap();
    let error = |offset| {
        let starts = starts(&[("a", offset)]);
        match FileSource::open(dir.path(), &starts, settings(FileEnds::Followed)) {
            Ok(_) => panic!("opened"),
            Err(error) => error,
        }
    };
    write(dir.path(), "a/0.ndjson", b"{}\n{}\n");
    let short = error(3);
    assert_eq!(short.kind(), ErrorKind::EventsMissing);
    assert!(
        short.to_string().contains("lines=2 wanted_line=3"),
        "{short}"
    );

    for folder_goes_too in [false, true] {
        if folder_goes_too {
            fs::remove_dir(dir.path().join("a")).unwrap();
        } else {
            fs::remove_file(dir.path().join("a/0.ndjson")).unwrap();
        }
        let gone = error(3);
        assert_eq!(gone.kind(), ErrorKind::EventsMissing);
        let gone = gone.to_string();
        let named = format!("file={}", dir.path().join("a/0.ndjson").display());
        for part in ["is gone topic=a partition=0", &named, "wanted_line=3"] {
            assert!(gone.contains(part), "{part}: {gone}");
        }
    }
    write(dir.path(), "a/0.ndjson", b"{}\n{}\n");

    write(dir.path(), "a/0.ndjson.gz", b"plain text");
    let twice = error(0).to_string();
    assert!(
        twice.contains("0.ndjson.gz") && twice.contains("keep one"),
        "{twice}"
    );

    fs::remove_file(dir.path().join("a/0.ndjson")).unwrap();
    let unreadable = error(0);
    assert_eq!(unreadable.kind(), ErrorKind::Unavailable);
    assert!(
        unreadable.to_string().contains("0.ndjson.gz line=0:"),
        "{unreadable}"
    );

    let missing = dir.path().join("nowhere");
    let error = survey(&missing, &["a"]).unwrap_err();
    assert!(error.to_string().contains("check its name"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// A frame of zstd with one line, whose window is 2 to the power of `window_log` bytes.
fn zstd_frame(window_log: u8) -> Vec<u8> {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    // No size, no checksum; then a raw block that is the last one.
    let (header, block) = ([0x00, (window_log - 10) << 3], [(3 << 3) | 1, 0, 0]);
    [&magic[..], &header, &block, b"{}\n"].concat()
}

#[test]
fn a_window_that_is_too_large_is_not_called_damage() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/0.ndjson.zst", &zstd_frame(30));
    let mut items = Vec::new();
    let read = FileSource::open(
        dir.path(),
        &starts(&[("a", 0)]),
        settings(FileEnds::Followed),
    )
    .and_then(|mut source| source.poll(100, &[], &mut items).map(drop));
    let error = read.unwrap_err().to_string();
    assert!(
        error.contains("0.ndjson.zst line=0:") && error.contains("zstd --long=27"),
        "{error}"
    );
    assert!(!error.contains("damaged"), "{error}");

    write(dir.path(), "a/0.ndjson.zst", &zstd_frame(20));
    let (records, _) = read_all(&mut open(dir.path(), &[("a", 0)]), &[10]);
    assert_eq!(records.len(), 1);
}

#[test]
fn a_file_that_breaks_off_gives_its_whole_lines_then_the_error() {
    let dir = TempDir::new().unwrap();
    let mut bytes = gzip("{\"recorded_at\":1}\n{\"recorded_at\":2}\n");
    bytes.extend_from_slice(b"\x1f\x8b broken member");
    write(dir.path(), "a/0.ndjson.gz", &bytes);
    let mut source = open(dir.path(), &[("a", 0)]);
    let mut items = Vec::new();
    let mut poll = |source: &mut FileSource| source.poll(100, &[], &mut items);
    let error = poll(&mut source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(" line=2:"), "{error}");
    // never taken for the end
    assert!(source.unread(0));
    assert_eq!(poll(&mut source).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| matches!(item, Item::Record(_))));
}

#[test]
fn f29_a_poll_hands_over_bounded_bytes_and_of_a_large_line_the_beginning() {
    let dir = TempDir::new().unwrap();
    let line = [vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
    write(dir.path(), "a/0.ndjson", &line.repeat(10));
    for (max_record_bytes, per_poll, held) in [(1 << 20, 4, 1 << 20), ((1 << 20) - 1, 10, 4096)] {
        let settings = FileSettings {
            max_record_bytes,
            ends: FileEnds::Final,
        };
        let mut source = FileSource::open(dir.path(), &starts(&[("a", 0)]), settings).unwrap();
        let mut items = Vec::new();
        source.poll(100, &[], &mut items).unwrap();
        let records: Vec<&Record> = items
            .iter()
            .filter_map(|item| match item {
                Item::Record(record) => Some(record),
                _ => None,
            })
            .collect();
        assert_eq!(records.len(), per_poll);
        for record in records {
            assert_eq!(record.held_bytes(), held);
            assert_eq!(record.payload_len, 1 << 20);
        }
    }
}
