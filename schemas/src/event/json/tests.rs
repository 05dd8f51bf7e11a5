#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn is_json(text: &str) -> bool {
    let mut json = JsonReader::new(text);
    json.skip().is_ok() && json.end().is_ok()
}

fn number(text: &str) -> Option<Number> {
    let mut json = JsonReader::new(text);
    match (json.value(), json.end()) {
        (Ok(Value::Number(number)), Ok(())) => Some(number),
        _ => None,
    }
}

#[test]
fn k45_an_integer_has_no_fraction_and_no_exponent() {
    let cases = [
        ("0", Number::Integer(0)),
        ("-0", Number::Integer(0)),
        ("7", Number::Integer(7)),
        ("-12", Number::Integer(-12)),
        ("9223372036854775807", Number::Integer(i64::MAX)),
        ("-9223372036854775808", Number::Integer(i64::MIN)),
        ("9223372036854775808", Number::BeyondInteger),
        ("-9223372036854775809", Number::BeyondInteger),
        ("18446744073709551616", Number::BeyondInteger),
        ("0.0", Number::NotInteger),
        ("-0.0", Number::NotInteger),
        ("1.0", Number::NotInteger),
        ("1e3", Number::NotInteger),
        ("1E+3", Number::NotInteger),
        ("1e-999", Number::NotInteger),
        ("1e999", Number::NotInteger),
    ];
    for (text, expected) in cases {
        assert_eq!(number(text), Some(expected), "{text}");
    }
    assert_eq!(number(&"9".repeat(400)), Some(Number::BeyondInteger));
    for text in [
        "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1_000", "- 1", "NaN", "Infinity",
        "１",
    ] {
        assert_eq!(number(text), None, "{text}");
    }
}

#[test]
fn k45_128_levels_are_read_and_129_are_not() {
    let lists = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let objects = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
    assert!(is_json(&lists(128)) && is_json(&objects(128)));
    assert!(!is_json(&lists(129)) && !is_json(&objects(129)));
    // What has been closed counts no longer.
    assert!(is_json(&format!("[{}]", vec![lists(127); 3].join(","))));
}

#[test]
fn texts_are_borrowed_unless_they_are_escaped() {
    let read = |text| JsonReader::new(text).value();
    assert!(matches!(
        read("\"订单\""),
        Ok(Value::Text(Cow::Borrowed("订单")))
    ));
    assert!(matches!(read(r#""""#), Ok(Value::Text(Cow::Borrowed("")))));
    let escaped = read(r#""a\"\\\/\b\f\n\r\t\u4e2d\ud83d\ude00é""#).unwrap();
    assert_eq!(escaped, Value::Text("a\"\\/\u{8}\u{c}\n\r\t中😀é".into()));
    for text in [
        r#"""#,
        r#""\"#,
        r#""\""#,
        r#""\x""#,
        r#""\u12""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\é""#,
        "\"\n\"",
        "\"\u{1f}\"",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

/// Texts that are often JSON and often nearly so.
fn nearly_json() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "nul",
        "0",
        "-1",
        "1.5",
        "2e5",
        "01",
        "1.",
        "\"a\"",
        "\"\\u0041\"",
        "\"\\ud800\"",
        "\"",
        "",
        "é",
        "9007199254740993",
    ])
    .prop_map(str::to_owned);
    scalar.prop_recursive(5, 40, 4, |inner| {
        let blank = || prop::sample::select(vec!["", " ", "\n\t", "\u{a0}"]);
        let comma = || prop::sample::select(vec![",", ",", ",", "", ",,", ";"]);
        let list = (prop::collection::vec(inner.clone(), 0..4), comma(), blank())
            .prop_map(|(items, comma, blank)| format!("[{blank}{}{blank}]", items.join(comma)));
        let key = prop::sample::select(vec!["\"a\"", "\"b\"", "\"c\"", "\"\\u0064\"", "a", "1"]);
        let colon = prop::sample::select(vec![":", ":", ":", " : ", "", "="]);
        let member =
            (key, colon, inner).prop_map(|(key, colon, value)| format!("{key}{colon}{value}"));
        let object = (prop::collection::vec(member, 0..3), comma())
            .prop_map(|(members, comma)| format!("{{{}}}", members.join(comma)));
        prop_oneof![list, object]
    })
}

/// Whether serde_json's value of the text lost a key, which it takes twice.
fn has_key_twice(text: &str) -> bool {
    let keys = |text: &str| text.matches(':').count();
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| keys(&value.to_string()) < keys(text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn it_reads_what_serde_json_reads_but_no_key_twice(text in nearly_json()) {
        let is_known = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
            && serde_json::from_str::<serde_json::Value>(&text).is_ok();
        prop_assert_eq!(is_json(&text), is_known && !has_key_twice(&text), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}", cut in prop::collection::vec(any::<char>(), 0..20)) {
        let _ = is_json(&text);
        let _ = is_json(&cut.into_iter().collect::<String>());
        let _ = is_json(&format!("\"\\{text}"));
    }
}
