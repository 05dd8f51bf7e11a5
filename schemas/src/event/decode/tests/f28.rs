//! F28: payloads that cost more than they are worth.

use super::*;

/// A limit on its size does not stop it.
const UNBOUNDED: Limits = Limits {
    max_future_skew: DurationMs::from_minutes(5),
    max_record_bytes: usize::MAX,
};

fn reason(text: &str, limits: &Limits) -> Option<Reason> {
    decode(Topic::Orders, Some(text.as_bytes()), limits)
        .err()
        .map(|rejection| rejection.reason)
}

fn with_field(value: &str) -> String {
    placed(json!({})).replacen('{', &format!("{{\"unread\":{value},"), 1)
}

#[test]
fn f28_100_000_levels_are_malformed_and_overflow_no_stack() {
    let levels = 100_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let deep = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let unread = with_field(&deep);
        let read =
            placed(json!({ "lines": 0 })).replacen("\"lines\":0", &format!("\"lines\":{deep}"), 1);
        let never_closed = open.repeat(levels);
        // On a stack as small as a thread may have.
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let judge =
            move || [unread, read, deep, never_closed].map(|text| reason(&text, &UNBOUNDED));
        let reasons = small.spawn(judge).unwrap().join().unwrap();
        assert_eq!(reasons, [Some(Reason::MalformedJson); 4], "{open}");
    }
}

#[test]
fn f28_a_million_keys_and_a_key_twice() {
    let object = |keys: usize, more: &str| {
        let keys: Vec<String> = (0..keys).map(|key| format!("\"k{key}\":0")).collect();
        format!("{{{}{more}}}", keys.join(","))
    };
    let million = with_field(&object(1_000_000, ""));
    assert_eq!(reason(&million, &Limits::default()), Some(Reason::TooLarge));
    assert_eq!(reason(&million, &UNBOUNDED), None);
    for twice in [",\"k0\":0", ",\"k999999\":0", ",\"\\u006b5\":0"] {
        let text = with_field(&object(1_000_000, twice));
        assert_eq!(
            reason(&text, &UNBOUNDED),
            Some(Reason::MalformedJson),
            "{twice}"
        );
    }
    // At the top, where the fields are.
    let keys = object(1_000_000, "");
    let open = keys.strip_suffix('}').unwrap();
    let wide = placed(json!({})).replacen('{', &format!("{open},"), 1);
    assert_eq!(reason(&wide, &UNBOUNDED), None);
}
