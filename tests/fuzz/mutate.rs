//! Damage to bytes, texts and JSON trees.

use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

pub(crate) type Random = ChaCha8Rng;

/// Inputs grow no further than this.
const MAX_BYTES: usize = 1 << 20;

/// The randomness of one case, whatever ran before it.
pub(crate) fn random_of(seed: u64, case: u64) -> Random {
    let mut random = Random::seed_from_u64(seed);
    random.set_stream(case);
    random
}

/// How many changes: mostly one, so that the reader gets far before it meets it.
fn times(random: &mut Random) -> usize {
    *[1, 1, 1, 2, 3, 8].choose(random).unwrap_or(&1)
}

/// Changes some bytes; `dictionary` holds what means something to their reader.
pub(crate) fn bytes(bytes: &mut Vec<u8>, dictionary: &[&str], random: &mut Random) {
    for _ in 0..times(random) {
        change_bytes(bytes, dictionary, random);
        bytes.truncate(MAX_BYTES);
    }
}

fn change_bytes(bytes: &mut Vec<u8>, dictionary: &[&str], random: &mut Random) {
    let at = random.random_range(0..=bytes.len());
    let length = *[1, 1, 2, 4, 8, 64].choose(random).unwrap_or(&1);
    let end = (at + length).min(bytes.len());
    match random.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => {
            bytes[at] = *[0, 1, 0x0a, 0x0d, b'"', b'\\', 0x7f, 0x80, 0xc0, 0xff]
                .choose(random)
                .unwrap_or(&0);
        }
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copied = bytes[at..end].to_vec();
            let to = random.random_range(0..=bytes.len());
            bytes.splice(to..to, copied);
        }
        4 => bytes.truncate(at),
        5 => {
            let filler = *[0, 0xff, b'9', b' '].choose(random).unwrap_or(&0);
            bytes.splice(at..end, vec![filler; length]);
        }
        _ => {
            let token = dictionary.choose(random).copied().unwrap_or_default();
            let end = if random.random_bool(0.5) { end } else { at };
            bytes.splice(at..end, token.bytes());
        }
    }
}

/// Words, numbers and blanks as they are, every other character by itself.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let mut tokens: Vec<String> = Vec::new();
    let mut last = 0;
    for c in text.chars() {
        let this = kind(c);
        match tokens.last_mut() {
            Some(token) if this == last && this != 0 => token.push(c),
            _ => tokens.push(c.to_string()),
        }
        last = this;
    }
    tokens
}

/// Changes some tokens of a text; `other` is a text of the same kind, to take pieces from.
pub(crate) fn text(text: &str, other: &str, dictionary: &[String], random: &mut Random) -> String {
    let mut tokens = tokens(text);
    for _ in 0..times(random) {
        let at = random.random_range(0..=tokens.len());
        let end = (at + random.random_range(1..=4)).min(tokens.len());
        let word = dictionary.choose(random).cloned().unwrap_or_default();
        match random.random_range(0..8) {
            0 => drop(tokens.drain(at..end)),
            1 => {
                let copied = tokens[at..end].to_vec();
                let to = random.random_range(0..=tokens.len());
                tokens.splice(to..to, copied);
            }
            2 | 3 => {
                let others = self::tokens(other);
                let from = random.random_range(0..=others.len());
                let to = (from + random.random_range(1..=12)).min(others.len());
                tokens.splice(at..end, others[from..to].iter().cloned());
            }
            4 => tokens.insert(at, format!(" {word} ")),
            _ => {
                if let Some(token) = tokens.choose_mut(random) {
                    *token = word;
                }
            }
        }
    }
    tokens.concat()
}

/// Changes some nodes of a JSON tree.
pub(crate) fn json(tree: &mut Value, random: &mut Random) {
    for _ in 0..times(random) {
        let mut pointers = Vec::new();
        collect(tree, String::new(), &mut pointers);
        let (Some(at), Some(other)) = (pointers.choose(random), pointers.choose(random)) else {
            // Only the root is left.
            return;
        };
        let other = tree.pointer(other).cloned().unwrap_or_default();
        let Some(node) = tree.pointer_mut(at) else {
            return;
        };
        match random.random_range(0..6) {
            0 => remove(tree, at),
            1 => *node = other,
            2 => *node = json!([node.take(), other]),
            3 => change_value(node, random),
            _ => *node = odd_value(random),
        }
    }
}

/// Pointers to all nodes but the root.
fn collect(node: &Value, at: String, pointers: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match node {
        Value::Object(members) => {
            let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
            let members = members.iter();
            members
                .map(|(name, value)| (escaped(name), value))
                .collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, value)| (index.to_string(), value))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        pointers.push(pointer.clone());
        collect(child, pointer, pointers);
    }
}

fn remove(tree: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    match tree.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => items.clear(),
        _ => {}
    }
}

/// Something near to what the value is.
fn change_value(node: &mut Value, random: &mut Random) {
    let by = *[-1_000_000_000_000, -86_400_000, -1, 1, 86_400_000, 1 << 40]
        .choose(random)
        .unwrap_or(&1);
    *node = match node.take() {
        Value::Number(number) => json!(number.as_i64().unwrap_or_default().wrapping_add(by)),
        Value::String(text) => match random.random_range(0..3) {
            0 => json!(text.repeat(*[2, 40, 300].choose(random).unwrap_or(&2))),
            1 => json!(text.to_uppercase() + "é"),
            _ => json!(text.chars().rev().collect::<String>()),
        },
        Value::Array(items) => {
            let times = *[2, 100, 1_100].choose(random).unwrap_or(&2);
            json!(vec![items; times].concat())
        }
        Value::Bool(flag) => json!(!flag),
        other => json!({ "nested": other }),
    };
}

fn odd_value(random: &mut Random) -> Value {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([null]),
        json!(""),
        json!(" "),
        json!("UNKNOWN"),
        json!("\u{0}"),
        json!("\u{202e}txet"),
        json!("a|b%7C"),
        json!("x".repeat(257)),
        json!("2026-02-30"),
        json!("2026-W53"),
        json!("9999-12-31"),
        json!(253_402_300_799_999_i64),
        json!(253_370_764_800_000_i64),
        json!(946_684_799_999_i64),
    ];
    odd.choose(random).cloned().unwrap_or_default()
}
