//! A file that is not the one that was read (F16).

use super::*;
use crate::source::{InputIdentity, InputNews};

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
