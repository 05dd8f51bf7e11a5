//! Files that grow while they are followed, and lines that are torn at their end (K47).

use super::*;

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
