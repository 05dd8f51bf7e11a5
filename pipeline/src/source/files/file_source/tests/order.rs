//! The order of records over several files (K1).

use proptest::prelude::*;

use super::*;

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
