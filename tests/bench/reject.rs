//! What a hostile record costs until it is rejected (F28): each kind as large as a record may be.

use std::fmt::Write;
use std::iter;

use anyhow::{Result, bail};
use pipeline::time::wall;
use schemas::event::{Limits, Topic, decode};

/// How often each is decoded.
const PASSES: usize = 101;
/// What a rejection may take (F28).
const LIMIT_MS: f64 = 10.0;
/// Levels of F28.
const LEVELS: usize = 100_000;

/// The beginning of a good order, up to its last field.
const ORDER: &str = concat!(
    r#"{"event_id":"e-1","event_type":"order.placed","schema_version":1,"occurred_at":1767661200000,"#,
    r#""recorded_at":1767661201000,"customer_id":"C1","order_id":"O1","#
);

/// A table of the kinds, with the least, middle and longest time of each.
pub(crate) fn measure() -> Result<String> {
    let mut out = String::from(
        "| hostile record | bytes | reason | min ms | median ms | max ms | |\n|---|---:|---|---:|---:|---:|---|\n",
    );
    for (name, payload) in payloads() {
        let (reason, times) = times(&payload)?;
        let [min, median, max] = [0, PASSES / 2, PASSES - 1].map(|index| times[index]);
        let flag = if median > LIMIT_MS {
            "**over 10 ms**"
        } else {
            ""
        };
        let bytes = payload.len();
        writeln!(
            out,
            "| {name} | {bytes} | {reason} | {min:.2} | {median:.2} | {max:.2} | {flag} |"
        )?;
    }
    Ok(out)
}

/// The reason for which it is rejected, and what each pass took in ms, shortest first.
fn times(payload: &str) -> Result<(String, Vec<f64>)> {
    let limits = Limits::default();
    let mut reason = String::new();
    let mut times = Vec::with_capacity(PASSES);
    for _ in 0..PASSES {
        let began = wall::monotonic();
        let decoded = decode(Topic::Orders, Some(payload.as_bytes()), &limits);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        let Err(rejection) = decoded else {
            bail!("a hostile record was accepted");
        };
        reason = format!("{} {}", rejection.reason, rejection.path);
    }
    times.sort_by(f64::total_cmp);
    Ok((reason.trim_end().to_owned(), times))
}

fn payloads() -> Vec<(&'static str, String)> {
    let levels = |open: &str, close: &str| {
        format!(
            "{ORDER}\"lines\":{}1{}}}",
            open.repeat(LEVELS),
            close.repeat(LEVELS)
        )
    };
    let keys = |from: &str, key: fn(usize) -> String, to: &str| {
        filled(
            from,
            (0..).map(|number| format!("\"{}\":0", key(number))),
            to,
        )
    };
    let items = |list: &str, item: &str| {
        let items = iter::repeat_with(|| item.to_owned());
        filled(&format!("{ORDER}\"{list}\":["), items, "]}")
    };
    let wide: Vec<String> = (0..40)
        .map(|number| format!("\"{}\":0", short(number)))
        .collect();
    vec![
        ("100,000 lists in each other", levels("[", "]")),
        ("100,000 objects in each other", levels("{\"a\":", "}")),
        ("as many keys as fit", keys("{", short, "}")),
        ("the last of them twice", keys("{", short, ",\"a\":0}")),
        (
            "the same in an object that nobody reads",
            keys(&format!("{ORDER}\"x\":{{"), short, ",\"a\":0}}"),
        ),
        (
            "keys with escapes",
            keys("{", |number| format!("\\u0061{}", short(number)), "}"),
        ),
        (
            "rows of 40 keys that nobody knows",
            items("lines", &format!("{{{}}}", wide.join(","))),
        ),
        ("rows of one such key", items("lines", "{\"\":0}")),
        ("empty rows", items("lines", "{}")),
        ("numbers for rows", items("lines", "1")),
        ("empty lists that nobody reads", items("x", "[]")),
        ("escapes that nobody reads", items("x", "\"\\n\"")),
    ]
}

/// `from`, as many items as a record has room for, with commas between them, and `to`.
fn filled(from: &str, items: impl Iterator<Item = String>, to: &str) -> String {
    let mut text = from.to_owned();
    for (index, item) in items.enumerate() {
        if text.len() + 1 + item.len() + to.len() > Limits::default().max_record_bytes {
            break;
        }
        if index > 0 {
            text.push(',');
        }
        text += &item;
    }
    text + to
}

/// The shortest texts first: `a`, `b`, …, `ab`, …
fn short(mut number: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut text = String::new();
    loop {
        text.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return text;
        }
    }
}
