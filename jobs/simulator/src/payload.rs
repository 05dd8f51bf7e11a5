//! The JSON of one event, written straight into bytes: field order is the order of the calls.

/// One JSON object being written.
pub(super) struct Payload {
    bytes: Vec<u8>,
}

impl Payload {
    pub fn open() -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(b'{');
        Self { bytes }
    }

    pub fn close(mut self) -> Box<[u8]> {
        self.bytes.push(b'}');
        self.bytes.into_boxed_slice()
    }

    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.quoted(value);
        self
    }

    /// Leaves the field out where there is no value.
    pub fn text_if(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    pub fn int(&mut self, name: &str, value: i64) -> &mut Self {
        self.name(name);
        self.digits(value);
        self
    }

    /// Leaves the field out where there is no value.
    pub fn int_if(&mut self, name: &str, value: Option<i64>) -> &mut Self {
        if let Some(value) = value {
            self.int(name, value);
        }
        self
    }

    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.bytes
            .extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub fn null(&mut self, name: &str) -> &mut Self {
        self.name(name);
        self.bytes.extend_from_slice(b"null");
        self
    }

    /// A list of objects, one for each item.
    pub fn list<I: IntoIterator>(
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
    pub fn texts<'t>(
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

    /// A value is followed by a comma unless it is the first of its object or list.
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
    fn writes_what_a_json_parser_reads_back() {
        let mut payload = Payload::open();
        payload
            .text("text", "说 \"no\" \\ or\n\u{1}")
            .text_if("absent", None)
            .int("least", i64::MIN)
            .int("zero", 0)
            .int_if("some", Some(1_767_542_400_000))
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
                "text": "说 \"no\" \\ or\n\u{1}", "least": i64::MIN, "zero": 0, "some": 1_767_542_400_000_i64,
                "yes": true, "nothing": null, "lines": [{"line_no": 1, "odd": true}, {"line_no": 2, "odd": false}],
                "none": [], "fields": ["a", "b"]
            })
        );
    }
}
