//! Writes the JSON of one event as bytes; the order of fields is the order of calls.

use schemas::money::Fen;
use schemas::time::TimestampMs;

/// A JSON object that is being written.
pub(crate) struct Payload {
    bytes: Vec<u8>,
}

impl Payload {
    pub(crate) fn open() -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(b'{');
        Self { bytes }
    }

    pub(crate) fn close(mut self) -> Box<[u8]> {
        self.bytes.push(b'}');
        self.bytes.into_boxed_slice()
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.quoted(value);
        self
    }

    /// Omits the field if there is no value.
    pub(crate) fn text_if(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    pub(crate) fn int(&mut self, name: &str, value: i64) -> &mut Self {
        self.name(name);
        self.digits(value);
        self
    }

    pub(crate) fn instant(&mut self, name: &str, at: TimestampMs) -> &mut Self {
        self.int(name, at.as_ms())
    }

    pub(crate) fn money(&mut self, name: &str, amount: Fen) -> &mut Self {
        self.int(name, amount.as_fen())
    }

    /// Omits the field if there is no value.
    pub(crate) fn money_if(&mut self, name: &str, amount: Option<Fen>) -> &mut Self {
        if let Some(amount) = amount {
            self.money(name, amount);
        }
        self
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.bytes
            .extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub(crate) fn null(&mut self, name: &str) -> &mut Self {
        self.name(name);
        self.bytes.extend_from_slice(b"null");
        self
    }

    /// A list of objects, one for each item.
    pub(crate) fn list<I: IntoIterator>(
        &mut self,
        name: &str,
        items: I,
        mut write: impl FnMut(&mut Self, I::Item),
    ) -> &mut Self {
        self.name(name);
        self.bytes.push(b'[');
        for item in items {
            self.comma();
            self.bytes.push(b'{');
            write(self, item);
            self.bytes.push(b'}');
        }
        self.bytes.push(b']');
        self
    }

    /// A list of texts.
    pub(crate) fn texts<'t>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'t str>,
    ) -> &mut Self {
        self.name(name);
        self.bytes.push(b'[');
        for value in values {
            self.comma();
            self.quoted(value);
        }
        self.bytes.push(b']');
        self
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// Every value but the first of its object or list follows a comma.
    fn comma(&mut self) {
        if !matches!(self.bytes.last(), Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }

    fn quoted(&mut self, value: &str) {
        self.bytes.push(b'"');
        if value.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
            self.escaped(value);
        } else {
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.bytes.push(b'"');
    }

    fn escaped(&mut self, value: &str) {
        for byte in value.bytes() {
            match byte {
                b'"' | b'\\' => self.bytes.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.bytes.extend_from_slice(b"\\n"),
                0..0x20 => self
                    .bytes
                    .extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.bytes.push(byte),
            }
        }
    }

    fn digits(&mut self, value: i64) {
        let mut buffer = [0; 20];
        let mut at = buffer.len();
        let mut left = value.unsigned_abs();
        loop {
            at -= 1;
            buffer[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if value < 0 {
            self.bytes.push(b'-');
        }
        self.bytes.extend_from_slice(&buffer[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_parser_reads_back_what_was_written() {
        let mut payload = Payload::open();
        payload
            .text("text", "说 \"no\" \\ or\n\u{1}")
            .text_if("absent", None)
            .int("least", i64::MIN)
            .int("zero", 0)
            .instant("at", TimestampMs::from_ms(1_767_542_400_000))
            .money_if("price_fen", Some(Fen::from_fen(8_480)))
            .money_if("no_price_fen", None)
            .flag("yes", true)
            .null("nothing")
            .list("lines", [1, 2], |line, number| {
                line.int("line_no", number).flag("odd", number % 2 == 1);
            })
            .list("none", [0; 0], |_, _| {})
            .texts("fields", ["a", "b"]);
        let value: serde_json::Value = serde_json::from_slice(&payload.close()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "text": "说 \"no\" \\ or\n\u{1}", "least": i64::MIN, "zero": 0, "at": 1_767_542_400_000_i64,
                "price_fen": 8_480, "yes": true, "nothing": null, "lines": [{"line_no": 1, "odd": true}, {"line_no": 2, "odd": false}],
                "none": [], "fields": ["a", "b"]
            })
        );
    }
}
