use serde_json::{Value, json};

use super::*;

const LIMIT: usize = 100_000;

fn record(value: usize, key: usize, headers: &[usize]) -> SinkRecord {
    let foreign = headers.iter().map(|size| {
        let name = Bytes::from(format!("h{size}"));
        (name, Some(vec![b'h'; *size].into()))
    });
    let foreign: Vec<_> = foreign.collect();
    SinkRecord {
        topic: "orders.v1.dlq".to_owned(),
        key: Some(vec![b'k'; key].into()),
        value: Some(vec![b'v'; value].into()),
        headers: SinkRecord::with_own_headers(&foreign, [("reason", "too_large".to_owned())]),
        may_be_cut: true,
    }
}

/// Names of the headers, and what the last one says was cut.
fn shown(record: &SinkRecord) -> (Vec<String>, Value) {
    let names = record.headers.iter();
    let names = names.map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    let (_, note) = record.headers.last().unwrap();
    let note = serde_json::from_slice(note.as_ref().unwrap()).unwrap();
    (names.collect(), note)
}

#[test]
fn what_fits_stays_as_it_is() {
    let small = record(1_000, 10, &[10]);
    assert_eq!(*small.fitted(LIMIT).unwrap(), small);
    let exact = record(LIMIT - record(0, 0, &[]).size(), 0, &[]);
    assert_eq!(exact.size(), LIMIT);
    assert_eq!(*exact.fitted(LIMIT).unwrap(), exact);
    assert_ne!(*exact.fitted(LIMIT - 1).unwrap(), exact);
}

#[test]
fn headers_go_first_the_largest_of_them_and_the_value_stays_whole_where_it_can() {
    let cut = record(1_000, 10, &[5, 1 << 20, 7]);
    let cut = cut.fitted(LIMIT).unwrap();
    assert!(cut.size() <= LIMIT);
    let (names, note) = shown(&cut);
    assert_eq!(names, ["h5", "h7", "vitrine-reason", "vitrine-cut"]);
    assert_eq!(
        note,
        json!({"headers": 1, "headers_bytes": (1 << 20) + 8, "whole": "ops.dead_letters"})
    );
    assert_eq!((length(&cut.value), length(&cut.key)), (1_000, 10));
}

#[test]
fn a_value_is_cut_to_a_prefix_and_small_headers_stay() {
    let cut = record(1 << 20, 10, &[5]);
    let cut = cut.fitted(LIMIT).unwrap();
    assert!(
        (LIMIT - 200..=LIMIT).contains(&cut.size()),
        "{}",
        cut.size()
    );
    let (names, note) = shown(&cut);
    assert_eq!(names, ["h5", "vitrine-reason", "vitrine-cut"]);
    assert_eq!(
        note,
        json!({"value_bytes": 1 << 20, "whole": "ops.dead_letters"})
    );
    assert_eq!(length(&cut.key), 10);
}

#[test]
fn whatever_is_large_the_record_fits_and_says_what_it_was() {
    let sizes = [0, 100, 30_000, 60_000, 1 << 20];
    for value in sizes {
        for key in sizes {
            for header in sizes {
                let case = format!("value={value} key={key} header={header}");
                let whole = record(value, key, &[header, 3]);
                for limit in [1_000, 5_000, LIMIT] {
                    let cut = whole.fitted(limit).unwrap();
                    assert!(cut.size() <= limit, "{case} limit={limit}");
                    if *cut == whole {
                        continue;
                    }
                    let note = shown(&cut).1;
                    let is_cut = |name: &str, before: usize, after: usize| {
                        let said = (before != after).then_some(before);
                        assert_eq!(
                            note[name].as_u64(),
                            said.map(|bytes| bytes as u64),
                            "{case}"
                        );
                    };
                    is_cut("value_bytes", value, length(&cut.value));
                    is_cut("key_bytes", key, length(&cut.key));
                    let left_out = whole.headers.len() + 1 - cut.headers.len();
                    assert_eq!(
                        note["headers"].as_u64().unwrap_or(0),
                        left_out as u64,
                        "{case}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_may_not_be_cut_or_has_no_room_at_all_does_not_fit() {
    let mut row = record(1_000, 10, &[]);
    row.may_be_cut = false;
    assert!(row.fitted(500).is_none());
    assert!(record(1_000, 10, &[]).fitted(200).is_none());
}

#[test]
fn a_header_that_looks_like_ours_is_renamed() {
    let foreign = [
        (Bytes::from("vitrine-reason"), Some(Bytes::from("mine"))),
        (Bytes::from_static(b"\xff"), None),
    ];
    let headers = SinkRecord::with_own_headers(&foreign, [("reason", "bad_value".to_owned())]);
    let expected: Vec<(Bytes, Option<Bytes>)> = vec![
        ("original-vitrine-reason".into(), Some("mine".into())),
        (Bytes::from_static(b"\xff"), None),
        ("vitrine-reason".into(), Some("bad_value".into())),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn a_record_is_named_by_where_it_came_from_or_its_number() {
    let own = ["topic", "partition", "offset"].map(|name| (name, format!("{name}-1")));
    let mut letter = record(1, 1, &[]);
    letter.headers = SinkRecord::with_own_headers(&[], own);
    assert_eq!(letter.place(), "topic-1/partition-1/offset-1");
    letter.headers = vec![("sequence".into(), Some("17".into()))];
    assert_eq!(letter.place(), "orders.v1.dlq/17");
}
