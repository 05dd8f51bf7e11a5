//! JSON read value by value from a text, as RFC 8259 writes it, without building a tree.
//!
//! Not serde_json's reader, because K45 asks for three things that it cannot say: whether a number was written as an integer
//! (`-0` is 0, `1.0` is none), that a number of any size is well-formed, and 128 levels instead of its 127.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Levels of objects and lists, the record's own object being the first (K45).
const MAX_LEVELS: usize = 128;

/// The text is no JSON that counts (K3).
#[derive(Debug)]
pub(super) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// A value, or the beginning of one.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'p> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'p, str>),
    /// `[` has been read; [`JsonReader::has_item`] goes on.
    List,
    /// `{` has been read; [`JsonReader::key`] goes on.
    Object,
}

/// A number by how it is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Integer(i64),
    /// An integer beyond 64 bits.
    BeyondInteger,
    /// With a fraction or an exponent.
    NotInteger,
}

/// A place in a JSON text.
pub(super) struct JsonReader<'p> {
    text: &'p str,
    at: usize,
    levels: usize,
    /// The bracket just read has been the opening one, so that no comma is due.
    is_opened: bool,
}

impl<'p> JsonReader<'p> {
    pub(super) fn new(text: &'p str) -> Self {
        Self {
            text,
            at: 0,
            levels: 0,
            is_opened: false,
        }
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Result<Value<'p>> {
        match self.next_byte()? {
            b'"' => Ok(Value::Text(self.rest_of_text()?)),
            b'{' => self.open(Value::Object),
            b'[' => self.open(Value::List),
            b't' => self.rest_of_name("rue", Value::Bool(true)),
            b'f' => self.rest_of_name("alse", Value::Bool(false)),
            b'n' => self.rest_of_name("ull", Value::Null),
            first @ (b'-' | b'0'..=b'9') => Ok(Value::Number(self.rest_of_number(first)?)),
            _ => Err(Malformed),
        }
    }

    /// The next key of the object that is being read, up to its value; `None` after the last.
    pub(super) fn key(&mut self) -> Result<Option<Cow<'p, str>>> {
        if !self.goes_on(b'}')? {
            return Ok(None);
        }
        if self.next_byte()? != b'"' {
            return Err(Malformed);
        }
        let key = self.rest_of_text()?;
        match self.next_byte()? {
            b':' => Ok(Some(key)),
            _ => Err(Malformed),
        }
    }

    /// Whether the list that is being read has another item, which is then the next value.
    pub(super) fn has_item(&mut self) -> Result<bool> {
        self.goes_on(b']')
    }

    /// Skips one value, which may be anything that is well-formed.
    pub(super) fn skip(&mut self) -> Result<()> {
        let value = self.value()?;
        self.skip_rest(&value)
    }

    /// Skips what follows the beginning of a list or an object. The levels bound the recursion.
    pub(super) fn skip_rest(&mut self, begun: &Value<'p>) -> Result<()> {
        match begun {
            Value::List => {
                while self.has_item()? {
                    self.skip()?;
                }
            }
            Value::Object => {
                let mut keys = Keys::default();
                while let Some(key) = self.key()? {
                    keys.insert(key)?;
                    self.skip()?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
        Ok(())
    }

    /// Nothing but white space is left.
    pub(super) fn end(mut self) -> Result<()> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed),
        }
    }

    fn open(&mut self, value: Value<'p>) -> Result<Value<'p>> {
        self.levels += 1;
        self.is_opened = true;
        if self.levels > MAX_LEVELS {
            return Err(Malformed);
        }
        Ok(value)
    }

    /// Whether another element follows; otherwise `close` has been read.
    fn goes_on(&mut self, close: u8) -> Result<bool> {
        let is_first = std::mem::take(&mut self.is_opened);
        self.skip_blanks();
        let next = self.peek().ok_or(Malformed)?;
        if next == close {
            self.at += 1;
            self.levels -= 1;
            return Ok(false);
        }
        if is_first {
            return Ok(true);
        }
        if next != b',' {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(true)
    }

    /// The text whose opening quote has been read.
    fn rest_of_text(&mut self) -> Result<Cow<'p, str>> {
        let text = self.text;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            // Continuation bytes of UTF-8 are none of these, so every cut is at a character.
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let ahead = &text.as_bytes()[self.at..];
            self.at += ahead.iter().position(special).ok_or(Malformed)?;
            match text.as_bytes()[self.at] {
                b'"' => break,
                // What is escaped is checked below; here it must not end the text.
                b'\\' => {
                    is_escaped = true;
                    self.at = (self.at + 2).min(text.len());
                }
                _ => return Err(Malformed),
            }
        }
        self.at += 1;
        if is_escaped {
            let quoted = text.get(start - 1..self.at).ok_or(Malformed)?;
            return serde_json::from_str(quoted)
                .map(Cow::Owned)
                .map_err(|_| Malformed);
        }
        Ok(Cow::Borrowed(&text[start..self.at - 1]))
    }

    fn rest_of_name(&mut self, rest: &str, value: Value<'p>) -> Result<Value<'p>> {
        if !self.text.as_bytes()[self.at..].starts_with(rest.as_bytes()) {
            return Err(Malformed);
        }
        self.at += rest.len();
        Ok(value)
    }

    fn rest_of_number(&mut self, first: u8) -> Result<Number> {
        let is_negative = first == b'-';
        let leading = if is_negative {
            self.take().ok_or(Malformed)?
        } else {
            first
        };
        let magnitude = match leading {
            b'0' => Some(0),
            b'1'..=b'9' => self.more_digits(u64::from(leading - b'0')),
            _ => return Err(Malformed),
        };
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            is_integer = false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            is_integer = false;
        }
        if !is_integer {
            return Ok(Number::NotInteger);
        }
        let value = magnitude.and_then(|magnitude| {
            if is_negative {
                0_i64.checked_sub_unsigned(magnitude)
            } else {
                i64::try_from(magnitude).ok()
            }
        });
        Ok(value.map_or(Number::BeyondInteger, Number::Integer))
    }

    /// The number that these and the digits ahead write; `None` beyond 64 bits.
    fn more_digits(&mut self, leading: u64) -> Option<u64> {
        let mut magnitude = Some(leading);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            magnitude = magnitude
                .and_then(|known| known.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        }
        magnitude
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed);
        }
        Ok(())
    }

    /// The first byte that is no white space.
    fn next_byte(&mut self) -> Result<u8> {
        self.skip_blanks();
        self.take().ok_or(Malformed)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// The keys of an object so far. Beyond a few their hashes are looked up, since an object may have a hundred thousand: a set of
/// numbers stays in the processor's cache where one of texts does not.
#[derive(Default)]
pub(super) struct Keys<'p> {
    all: Vec<Cow<'p, str>>,
    /// Of each key in `all`, once there are more than a few. Keyed, so that nobody can write keys that collide.
    hashes: HashSet<u64, BuildHasherDefault<Hashed>>,
    hasher: RandomState,
}

impl<'p> Keys<'p> {
    const FEW: usize = 16;

    /// An object must not have a key twice (K3).
    pub(super) fn insert(&mut self, key: Cow<'p, str>) -> Result<()> {
        let is_known = if self.all.len() < Self::FEW {
            self.all.contains(&key)
        } else {
            if self.hashes.is_empty() {
                let hashes = self.all.iter().map(|key| self.hasher.hash_one(key));
                self.hashes = hashes.collect();
            }
            // two keys may have one hash
            !self.hashes.insert(self.hasher.hash_one(&key)) && self.all.contains(&key)
        };
        if is_known {
            return Err(Malformed);
        }
        self.all.push(key);
        Ok(())
    }
}

/// Takes hashes as they are.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "only whole hashes are written");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
