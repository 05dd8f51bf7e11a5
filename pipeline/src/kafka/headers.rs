//! Headers of Kafka records as bytes.
//!
//! A header's name is text by convention only: any producer may write any bytes. The client's own view of headers panics at a name
//! that is not UTF-8, so names are read and written here, past it. The names end at their first NUL byte, as librdkafka hands
//! them out.

#![expect(
    unsafe_code,
    reason = "the client's own view of headers panics at a name that is not UTF-8"
)]

use std::ffi::CStr;
use std::ptr;
use std::slice;

use bytes::Bytes;
use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_header_get_all, rd_kafka_headers_t};
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};
use rdkafka::types::RDKafkaRespErr;

/// Name and value of a header; a value may be null.
pub type Header = (Bytes, Option<Bytes>);

/// Copies the headers of a record, in their order.
pub(crate) fn read_headers(headers: &BorrowedHeaders) -> Vec<Header> {
    let list = native(headers);
    let mut found = Vec::new();
    loop {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `list` is the list behind `headers`, which is borrowed until the end of this function. The call writes the
        // three places and nothing else; behind the last header it says so and writes nothing.
        let answer =
            unsafe { rd_kafka_header_get_all(list, found.len(), &mut name, &mut value, &mut size) };
        if answer != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            return found;
        }
        // SAFETY: librdkafka ends names with a NUL byte and keeps them as long as the list.
        let name = unsafe { CStr::from_ptr(name) };
        // SAFETY: a value that is not null has `size` bytes, which live as long as the list.
        let value =
            (!value.is_null()).then(|| unsafe { slice::from_raw_parts(value.cast::<u8>(), size) });
        found.push((
            Bytes::copy_from_slice(name.to_bytes()),
            value.map(Bytes::copy_from_slice),
        ));
    }
}

/// The value of the last header of this name, if it is text.
pub(crate) fn header_text<'h>(headers: &'h [Header], name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().rev().find(|(found, _)| found == name)?;
    str::from_utf8(value.as_ref()?).ok()
}

/// Headers to be sent, in this order.
pub fn write_headers(headers: &[Header]) -> OwnedHeaders {
    let written = OwnedHeaders::new_with_capacity(headers.len());
    let list = native(written.as_borrowed()).cast_mut();
    for (name, value) in headers {
        let (start, size) = match value {
            None => (ptr::null(), 0),
            Some(value) => (value.as_ptr(), value.len().cast_signed()),
        };
        // SAFETY: `list` is the list of `written`, which nobody else knows yet. Name and value are copied before the call
        // returns, in the lengths given. It fails for a list that may only be read, which this one is not.
        unsafe {
            rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len().cast_signed(),
                start.cast(),
                size,
            )
        };
    }
    written
}

/// The list behind `headers`: the client's type is a name for that address.
fn native(headers: &BorrowedHeaders) -> *const rd_kafka_headers_t {
    ptr::from_ref(headers).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts_if_it_is_text() {
        let header = |name: &'static str, value: Option<&'static [u8]>| {
            (Bytes::from(name), value.map(Bytes::from_static))
        };
        let headers = [
            header("a", Some(b"first")),
            header("b", Some(b"\xff")),
            header("a", Some(b"last")),
            header("c", Some(b"text")),
            header("c", None),
        ];
        assert_eq!(header_text(&headers, "a"), Some("last"));
        for name in ["b", "c", "d"] {
            assert_eq!(header_text(&headers, name), None, "{name}");
        }
    }

    #[test]
    fn names_and_values_are_any_bytes() {
        let headers: Vec<Header> = vec![
            (
                Bytes::from_static(b"\xff\x66\x6f\x6f"),
                Some(Bytes::from_static(b"v")),
            ),
            ("trace".into(), None),
            ("trace".into(), Some(Bytes::new())),
            (Bytes::new(), Some(Bytes::from_static(b"\x00\xff"))),
        ];
        let written = write_headers(&headers);
        assert_eq!(read_headers(written.as_borrowed()), headers);
        assert_eq!(read_headers(write_headers(&[]).as_borrowed()), []);
    }
}
