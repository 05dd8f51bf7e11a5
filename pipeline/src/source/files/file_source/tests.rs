#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::folder::file_partitions;
use super::*;
use crate::error::ErrorKind;
use crate::kafka::TopicPartition;
use crate::source::files::FileEnds;
use crate::source::{InputIdentity, InputNews, Record};

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

/// Payloads of what one poll gives.
fn poll(source: &mut FileSource) -> Result<Vec<String>> {
    let mut items = Vec::new();
    source.poll(100, &[], &mut items)?;
    let records = items.into_iter().filter_map(|item| match item {
        Item::Record(record) => Some(record),
        _ => None,
    });
    let text = |record: Record| {
        let payload = record.payload.unwrap_or_else(|| "tombstone".into());
        format!("{} {}", record.offset, String::from_utf8_lossy(&payload))
    };
    Ok(records.map(text).collect())
}

fn append(dir: &Path, name: &str, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(dir.join(name))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn order(records: &[Record]) -> Vec<(usize, i64)> {
    records.iter().map(|r| (r.input, r.offset)).collect()
}

#[test]
fn k01_files_are_merged_by_recorded_at_of_their_heads_and_never_sorted_inside() {
    let dir = TempDir::new().unwrap();
    let line = |at: i64| format!("{{\"recorded_at\":{at}}}\n");
    write(
        dir.path(),
        "a/0.ndjson",
        // 30 comes before 10, and stays there; the line without an instant goes with the 30 before it
        format!("{}{}not json\n{}", line(5), line(30), line(10)).as_bytes(),
    );
    write(
        dir.path(),
        "b/0.ndjson.gz",
        &[gzip(&line(5)), gzip(&line(20)), gzip(&line(30))].concat(),
    );
    let zst = zstd::encode_all(line(1).as_bytes(), 0).unwrap();
    write(dir.path(), "c/0.ndjson.zst", &zst);
    let mut source = open(dir.path(), &[("a", 0), ("b", 0), ("c", 0), ("none", 0)]);
    assert!(source.unread(0) && !source.unread(3));
    let (records, ends) = read_all(&mut source, &[100]);
    assert_eq!(
        order(&records),
        [
            (2, 0),
            (0, 0),
            (1, 0),
            (1, 1),
            (0, 1),
            (0, 2),
            (0, 3),
            (1, 2)
        ]
    );
    assert_eq!(ends, [(0, 4), (1, 3), (2, 1), (3, 0)]);
    assert!(!source.unread(0));
    // ends are announced again on every later poll
    assert_eq!(read_all(&mut source, &[100]), (vec![], ends));
}

#[test]
fn k01_a_line_without_an_instant_goes_with_the_line_before_it_in_its_file() {
    let dir = TempDir::new().unwrap();
    let line = |at: i64| format!("{{\"recorded_at\":{at}}}\n");
    // The first line has none before it: nothing holds it back. The one behind 40 does not go with the 10 of the other file.
    let a = format!("null\n{}\n{}", line(40), line(5));
    write(dir.path(), "a/0.ndjson", a.as_bytes());
    let b = [line(10), line(39), line(41)].concat();
    write(dir.path(), "b/0.ndjson", b.as_bytes());
    let (records, _) = read_all(&mut open(dir.path(), &[("b", 0), ("a", 0)]), &[1]);
    assert_eq!(
        order(&records),
        [(1, 0), (0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (0, 2)]
    );
}

#[test]
fn k01_a_missing_file_is_an_empty_partition() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/3.ndjson", b"{}\n");
    assert_eq!(file_partitions(dir.path(), &["a", "b"]).unwrap(), 4);
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
fn k01_partitions_are_the_highest_file_number_and_one_over_the_topics_asked_for() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "orders/0.ndjson", b"");
    write(dir.path(), "visits/6.ndjson.gz", &gzip(""));
    write(dir.path(), "prices/11.ndjson", b"");
    write(dir.path(), "visits/notes.txt", b"");
    let count = |topics: &[&str]| file_partitions(dir.path(), topics).unwrap();
    assert_eq!(count(&["orders", "visits", "complaints"]), 7);
    assert_eq!(count(&["complaints"]), 0);
    for name in [
        "visits/07.ndjson",
        "visits/x.ndjson.zst",
        "visits/-1.ndjson",
        "visits/.ndjson",
        "visits/4096.ndjson",
        "visits/2147483647.ndjson",
        "visits/99999999999999999999.ndjson",
    ] {
        write(dir.path(), name, b"");
        let error = file_partitions(dir.path(), &["visits"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error.to_string().contains("file name is not understood"),
            "{name}: {error}"
        );
        fs::remove_file(dir.path().join(name)).unwrap();
    }
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
    let error = file_partitions(&missing, &["a"]).unwrap_err();
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
fn k47_files_that_grow_are_followed_and_a_torn_line_waits_for_its_end() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/0.ndjson", b"{\"n\":0}\n{\"n\":");
    let mut source = open_with(dir.path(), &[("a", 0), ("b", 0)], FileEnds::Followed).unwrap();
    assert_eq!(poll(&mut source).unwrap(), ["0 {\"n\":0}"]);
    assert!(!source.unread(0));
    append(dir.path(), "a/0.ndjson", "1");
    assert!(poll(&mut source).unwrap().is_empty(), "still torn");
    // its offset is kept meanwhile
    let mut items = Vec::new();
    source.poll(1, &[], &mut items).unwrap();
    let ends: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::End { next_offset, .. } => *next_offset,
            _ => panic!("not an end"),
        })
        .collect();
    assert_eq!(ends, [1, 0]);
    append(dir.path(), "a/0.ndjson", "}\r\n\nnull\n");
    assert_eq!(
        poll(&mut source).unwrap(),
        ["1 {\"n\":1}", "2 ", "3 tombstone"]
    );
    // A file that did not exist yet is found, once a second has passed.
    write(dir.path(), "b/0.ndjson", b"{}\n");
    source.looked_at = wall::monotonic()
        .checked_sub(Duration::from_secs(1))
        .unwrap();
    assert_eq!(poll(&mut source).unwrap(), ["0 {}"]);
    append(dir.path(), "b/0.ndjson", "[]\n");
    assert_eq!(poll(&mut source).unwrap(), ["1 []"]);
}

#[test]
fn k47_a_whole_value_is_read_without_its_line_end_and_then_only_blanks_may_follow() {
    for (follows, is_changed) in [
        ("\n", false),
        (" \t", false),
        ("\r\n", false),
        ("  \n{\"n\":1}\n", false),
        ("x", true),
        ("  }\n", true),
        ("{\"n\":1}\n", true),
    ] {
        let dir = TempDir::new().unwrap();
        write(dir.path(), "a/0.ndjson", b"{\"n\":0}");
        let mut source = open_with(dir.path(), &[("a", 0)], FileEnds::Followed).unwrap();
        assert_eq!(poll(&mut source).unwrap(), ["0 {\"n\":0}"]);
        append(dir.path(), "a/0.ndjson", follows);
        match poll(&mut source) {
            Ok(records) => {
                assert!(!is_changed, "{follows:?}");
                let more = follows.contains("1");
                assert_eq!(records.is_empty(), !more, "{follows:?}");
                assert!(!more || records == ["1 {\"n\":1}"], "{records:?}");
            }
            Err(error) => {
                assert!(is_changed, "{follows:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::EventsMissing);
                let error = error.to_string();
                assert!(error.contains("0.ndjson line=0"), "{error}");
            }
        }
        // A later run that begins behind it finds the same place.
        if !is_changed {
            let mut later = open_with(dir.path(), &[("a", 1)], FileEnds::Followed).unwrap();
            let more = follows.contains("1");
            assert_eq!(poll(&mut later).unwrap().len(), usize::from(more));
        }
    }
}

#[test]
fn k47_lengths_are_those_at_opening_and_draining_reads_a_torn_line() {
    let dir = TempDir::new().unwrap();
    for (name, torn) in [
        ("a/0.ndjson", b"{}\n{\"a\":".to_vec()),
        ("b/0.ndjson.gz", gzip("{}\n{\"a\":")),
    ] {
        write(dir.path(), name, &torn);
    }
    let all = [("a", 0), ("b", 0)];
    let mut source = open_with(dir.path(), &all, FileEnds::AtOpening).unwrap();
    // What comes from here on is not for this run, even if it makes the line whole.
    append(dir.path(), "a/0.ndjson", "1}\n{}\n");
    assert_eq!(poll(&mut source).unwrap(), ["0 {}", "0 {}"]);
    assert!(poll(&mut source).unwrap().is_empty());
    let mut source = open_with(dir.path(), &all, FileEnds::Final).unwrap();
    let (records, ends) = read_all(&mut source, &[10]);
    assert_eq!(records.len(), 5);
    assert_eq!(ends, [(0, 3), (1, 2)]);
    assert_eq!(records[4].payload.as_deref(), Some(&b"{\"a\":"[..]));
    // Drained again, it begins behind the torn line.
    let mut again = open_with(dir.path(), &[("a", 3), ("b", 2)], FileEnds::Final).unwrap();
    assert!(poll(&mut again).unwrap().is_empty());
}

#[test]
fn k47_a_file_that_becomes_shorter_while_it_is_followed_is_missing_events() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/0.ndjson", b"{}\n{}\n");
    let mut source = open_with(dir.path(), &[("a", 0)], FileEnds::Followed).unwrap();
    assert_eq!(poll(&mut source).unwrap().len(), 2);
    write(dir.path(), "a/0.ndjson", b"{}\n");
    let error = poll(&mut source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EventsMissing);
}

#[test]
fn k47_a_torn_line_that_is_too_large_waits_too() {
    let dir = TempDir::new().unwrap();
    let long = "x".repeat(3 * MAX);
    write(dir.path(), "a/0.ndjson", long.as_bytes());
    let mut source = open_with(dir.path(), &[("a", 0)], FileEnds::Followed).unwrap();
    assert!(poll(&mut source).unwrap().is_empty());
    append(dir.path(), "a/0.ndjson", "\n");
    let mut items = Vec::new();
    source.poll(10, &[], &mut items).unwrap();
    let Item::Record(record) = &items[0] else {
        panic!("no record");
    };
    assert_eq!(record.payload_len, 3 * MAX as u64);
    assert_eq!(record.payload.as_ref().map(Bytes::len), Some(3 * MAX));
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

/// Lines of three files: most with an instant, some without, some tombstones.
fn files() -> impl Strategy<Value = Vec<Vec<Option<i64>>>> {
    let line = prop_oneof![4 => (0..50_i64).prop_map(Some), 1 => Just(None)];
    prop::collection::vec(prop::collection::vec(line, 0..20), 3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn one_sequence_however_it_is_cut(
        files in files(),
        sizes in prop::collection::vec(1..7_usize, 1..5),
        stop in 0..60_usize,
    ) {
        let dir = TempDir::new().unwrap();
        let topics = ["a", "b", "c"];
        for (topic, lines) in topics.iter().zip(&files) {
            let text: String = lines
                .iter()
                .map(|at| at.map_or("null\n".into(), |at| format!("{{\"recorded_at\":{at}}}\n")))
                .collect();
            write(dir.path(), &format!("{topic}/0.ndjson"), text.as_bytes());
        }
        let (whole, ends) = read_all(&mut open(dir.path(), &topics.map(|t| (t, 0))), &[1000]);

        // each file complete and in its own order
        for (input, lines) in files.iter().enumerate() {
            let offsets: Vec<i64> =
                whole.iter().filter(|r| r.input == input).map(|r| r.offset).collect();
            prop_assert_eq!(offsets, (0..lines.len() as i64).collect::<Vec<_>>());
            prop_assert_eq!(ends[input], (input, lines.len() as i64));
        }

        // polls of any size give the same sequence
        let (cut, _) = read_all(&mut open(dir.path(), &topics.map(|t| (t, 0))), &sizes);
        prop_assert_eq!(&cut, &whole);

        // so does a run that stops anywhere and is resumed at its offsets
        let stop = stop.min(whole.len());
        let offsets = [0, 1, 2].map(|input| {
            let read = whole[..stop].iter().filter(|r| r.input == input).count();
            (topics[input], read as i64)
        });
        let (rest, _) = read_all(&mut open(dir.path(), &offsets), &sizes);
        prop_assert_eq!(&rest, &whole[stop..]);
    }
}

/// What the source says of its inputs when it has read as many lines as `max`.
fn identity_after(dir: &Path, max: usize) -> InputIdentity {
    let mut source =
        FileSource::open(dir, &starts(&[("orders.v1", 0)]), settings(FileEnds::Final)).unwrap();
    let mut items = Vec::new();
    source.poll(max, &[], &mut items).unwrap();
    let news = items.into_iter().find_map(|item| match item {
        Item::News {
            news: InputNews::Identified(identity),
            ..
        } => Some(identity),
        _ => None,
    });
    news.unwrap()
}

fn reopened(dir: &Path, offset: i64, identity: InputIdentity) -> Result<FileSource> {
    let input = TopicPartition::new("orders.v1", 0);
    let starts = [Start::sealed(input, offset, identity)];
    FileSource::open(dir, &starts, settings(FileEnds::Final))
}

#[test]
fn f16_a_file_that_was_replaced_by_a_longer_one_is_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let file = "orders.v1/0.ndjson";
    write(dir.path(), file, b"one\ntwo\nthree\n");
    let two_lines = identity_after(dir.path(), 2);
    // the same, blanks at a line's end (K47), one that has grown, and one that has lost what was not read
    for same in [
        "one\ntwo\nthree\n",
        "one\ntwo  \nthree\n",
        "one\ntwo\nthree\nfour\n",
        "one\ntwo\n",
    ] {
        write(dir.path(), file, same.as_bytes());
        let mut source = reopened(dir.path(), 2, two_lines).unwrap();
        read_all(&mut source, &[9]);
    }
    for (other, line) in [
        ("uno\ntwo\nthree\nfour\n", "line=0 "),
        ("one\ndue\nthree\nfour\n", "line=1 "),
        ("one\nthree\nfour\nfive\n", "line=1 "),
        ("uno\ndue\n", "line=0 "),
        ("null\ntwo\nthree\n", "line=0 "),
    ] {
        write(dir.path(), file, other.as_bytes());
        let error = reopened(dir.path(), 2, two_lines).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::EventsMissing, "{other}");
        let said = error.to_string();
        assert!(said.contains(line) && said.contains("0.ndjson"), "{said}");
    }
    // before anything was read, any file will do
    assert!(reopened(dir.path(), 0, InputIdentity::Unknown).is_ok());
}

#[test]
fn f16_a_file_that_is_packed_later_is_the_same_file_and_a_long_line_is_told_by_its_length() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(MAX * 3);
    let plain = "orders.v1/0.ndjson";
    let packed = "orders.v1/0.ndjson.gz";
    write(dir.path(), plain, format!("{long}\n").as_bytes());
    let identity = identity_after(dir.path(), 1);
    fs::remove_file(dir.path().join(plain)).unwrap();
    write(dir.path(), packed, &gzip(&format!("{long}\n")));
    assert!(reopened(dir.path(), 1, identity).is_ok());
    write(dir.path(), packed, &gzip(&format!("{long}x\n")));
    assert!(reopened(dir.path(), 1, identity).is_err());
}
