//! Rejected records as rows of `ops.dead_letters`.
//!
//! Columns are built from the records themselves: they may hold many bytes, and each way round would hold them once more.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, ListArray, StringArray,
    StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

use super::rows::epoch_column;
use crate::columns::conform;
use crate::shard::DeadLetter;
use crate::time::Zone;

/// What the letters of a seal have in common.
pub(super) struct SealedLetters<'s> {
    pub letters: &'s [DeadLetter],
    pub shard: u32,
    pub epoch: i64,
    pub zone: Zone,
    pub sealed_at: TimestampMs,
}

impl SealedLetters<'_> {
    /// One row a letter.
    ///
    /// The date is that of the broker's timestamp, else of the seal: the record's own cannot be trusted.
    pub(super) fn rows(&self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let Self { letters, epoch, .. } = *self;
        let rows = letters.len();
        let texts = |text: fn(&DeadLetter) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(letters.iter().map(text)))
        };
        let values = letters.iter().map(|letter| letter.value.as_deref());
        let keys = letters.iter().map(|letter| letter.key.as_deref());
        let timestamps = letters.iter().map(|letter| letter.timestamp);
        let days = timestamps.clone().map(|timestamp| {
            let at = timestamp.unwrap_or(self.sealed_at);
            self.zone.day_of(at).0
        });
        let broker_at = timestamps.map(|timestamp| timestamp.map(TimestampMs::as_micros));
        let broker_at = broker_at.collect::<TimestampMicrosecondArray>();
        let partitions = letters.iter().map(|letter| letter.input.partition);
        let offsets = letters.iter().map(|letter| letter.offset);
        let sizes = letters.iter().map(|letter| {
            let size = i64::try_from(letter.value_bytes).unwrap_or(i64::MAX);
            letter.value.as_ref().map(|_| size)
        });
        let shards = Int64Array::from(vec![i64::from(self.shard); rows]);
        let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
        conform(
            &empty,
            schema,
            &[
                ("topic", texts(|letter| &letter.input.topic)),
                (
                    "partition",
                    Arc::new(Int32Array::from_iter_values(partitions)),
                ),
                ("offset", Arc::new(Int64Array::from_iter_values(offsets))),
                ("broker_at", Arc::new(broker_at.with_timezone("UTC"))),
                ("reason", texts(|letter| letter.reason.as_str())),
                ("path", texts(|letter| &letter.path)),
                ("value", Arc::new(values.collect::<BinaryArray>())),
                ("value_bytes", Arc::new(sizes.collect::<Int64Array>())),
                ("key", Arc::new(keys.collect::<BinaryArray>())),
                ("headers", headers(letters, schema)?),
                ("shard", Arc::new(shards)),
                ("epoch", epoch_column(rows, epoch)),
                ("event_date", Arc::new(Date32Array::from_iter_values(days))),
            ],
        )
    }
}

/// Names and values of the headers of each letter, in the shape that the table gives them.
fn headers(letters: &[DeadLetter], schema: &SchemaRef) -> Result<ArrayRef, ArrowError> {
    let field = schema.field_with_name("headers").ok();
    let Some(DataType::List(element)) = field.map(|field| field.data_type()) else {
        return Ok(new_null_array(&DataType::Null, letters.len()));
    };
    let DataType::Struct(fields) = element.data_type() else {
        let message = "headers are a list of names and values".to_owned();
        return Err(ArrowError::SchemaError(message));
    };
    let all: Vec<_> = letters.iter().flat_map(|letter| &letter.headers).collect();
    let names = all.iter().map(|(name, _)| String::from_utf8_lossy(name));
    let names = StringArray::from_iter_values(names);
    // Bytes that are not UTF-8 are replaced in the name; here they stand as they came.
    let odd_names = all
        .iter()
        .map(|(name, _)| str::from_utf8(name).is_err().then_some(&name[..]));
    let odd_names: BinaryArray = odd_names.collect();
    let values: BinaryArray = all.iter().map(|(_, value)| value.as_deref()).collect();
    let pairs = StructArray::try_new(
        fields.clone(),
        vec![Arc::new(names), Arc::new(odd_names), Arc::new(values)],
        None,
    )?;
    let lengths = letters.iter().map(|letter| letter.headers.len());
    let lists = ListArray::try_new(
        element.clone(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(pairs),
        None,
    )?;
    Ok(Arc::new(lists))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int64Type;
    use arrow::util::display::array_value_to_string;
    use schemas::event::Reason;
    use schemas::table;

    use super::*;
    use crate::kafka::TopicPartition;
    use crate::time::fixture::at;

    fn letter(value: Option<&'static str>, value_bytes: u64) -> DeadLetter {
        DeadLetter {
            input: TopicPartition::new("orders.v1", 3),
            offset: 42,
            timestamp: None,
            reason: Reason::TooLarge,
            path: "lines[0].qty".to_owned(),
            value: value.map(Into::into),
            value_bytes,
            key: Some("C1".into()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn f29_a_row_says_how_large_a_value_was_of_which_the_beginning_is_kept() {
        let with_headers = DeadLetter {
            timestamp: Some(at(1_767_661_200_000)),
            headers: vec![
                ("trace".into(), Some("t-1".into())),
                (vec![0xff, 0x66].into(), None),
            ],
            ..letter(Some("{\"a"), 16 << 20)
        };
        let letters = [with_headers, letter(None, 0), letter(Some(""), 0)];
        let sealed = SealedLetters {
            letters: &letters,
            shard: 3,
            epoch: 7,
            zone: Zone(chrono_tz::Asia::Shanghai),
            sealed_at: at(1_767_585_600_000),
        };
        let described = table::find("ops", "dead_letters").unwrap();
        let rows = sealed.rows(&described.schema).unwrap();
        assert_eq!(rows.schema(), described.schema);
        let text = |name: &str, row: usize| {
            array_value_to_string(rows.column_by_name(name).unwrap(), row).unwrap()
        };
        assert_eq!(text("reason", 0), "too_large");
        assert_eq!(text("value", 0), "7b2261");
        assert_eq!(text("broker_at", 0), "2026-01-06T01:00:00Z");
        assert_eq!(text("event_date", 0), "2026-01-06");
        assert_eq!(text("event_date", 1), "2026-01-05");
        assert_eq!(
            text("headers", 0),
            "[{name: trace, name_bytes: , value: 742d31}, {name: \u{fffd}f, name_bytes: ff66, value: }]"
        );
        assert_eq!(text("headers", 1), "[]");
        let sizes = rows.column_by_name("value_bytes").unwrap();
        let sizes = sizes.as_primitive::<Int64Type>();
        assert_eq!(sizes.value(0), 16 << 20);
        // A tombstone has no size; a value without bytes has one.
        assert!(sizes.is_null(1) && sizes.value(2) == 0);
        assert!(rows.column_by_name("value").unwrap().is_null(1));
    }
}
