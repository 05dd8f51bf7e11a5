//! Typed columns of a wide event batch, found by name once per batch and read by row.
//!
//! A missing column or one of another type is an error of the program (the batch's schema is ours), so it is found when
//! the column is looked up and never while rows are read.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, ListArray, StringArray,
    StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Fields, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

/// The columns of a batch, or of the items of a list column.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    fields: &'a Fields,
    arrays: &'a [ArrayRef],
}

impl<'a> Columns<'a> {
    /// The columns of `batch`.
    pub fn of(batch: &'a RecordBatch) -> Self {
        Self {
            fields: batch.schema_ref().fields(),
            arrays: batch.columns(),
        }
    }

    /// A text or enum column, plain or dictionary-encoded.
    pub fn text(&self, name: &str) -> Result<TextColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::Utf8 => Ok(TextColumn::Plain(array.as_string())),
            DataType::Utf8View => Ok(TextColumn::View(array.as_string_view())),
            DataType::Dictionary(_, values) if **values == DataType::Utf8 => {
                let dictionary = array.as_any_dictionary();
                Ok(TextColumn::Dictionary {
                    array,
                    keys: dictionary.normalized_keys(),
                    values: dictionary.values().as_string(),
                })
            }
            other => Err(wrong_type(name, other, "text")),
        }
    }

    /// A column of whole numbers of any width.
    pub fn integer(&self, name: &str) -> Result<IntegerColumn, ArrowError> {
        let array = self.find(name)?;
        if !array.data_type().is_integer() {
            return Err(wrong_type(name, array.data_type(), "whole numbers"));
        }
        Ok(IntegerColumn(
            cast(array, &DataType::Int64)?.as_primitive().clone(),
        ))
    }

    /// A column of instants, stored as microseconds.
    pub fn instant(&self, name: &str) -> Result<InstantColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Ok(InstantColumn(array.as_primitive()))
            }
            other => Err(wrong_type(name, other, "instants in microseconds")),
        }
    }

    /// A column of DECIMAL(38, 6), read as its mantissa (millionths).
    pub fn decimal(&self, name: &str) -> Result<DecimalColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::Decimal128(38, 6) => Ok(DecimalColumn(array.as_primitive())),
            other => Err(wrong_type(name, other, "DECIMAL(38, 6)")),
        }
    }

    /// A column of true and false.
    pub fn flag(&self, name: &str) -> Result<FlagColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::Boolean => Ok(FlagColumn(array.as_boolean())),
            other => Err(wrong_type(name, other, "true and false")),
        }
    }

    /// A column of lists of structs (`lines[]`, `stock[]`, `answers[]`).
    pub fn list(&self, name: &str) -> Result<ListColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::List(item) if matches!(item.data_type(), DataType::Struct(_)) => {
                Ok(ListColumn(array.as_list()))
            }
            other => Err(wrong_type(name, other, "lists of structs")),
        }
    }

    /// A column of lists of texts (`evidence`).
    pub fn texts(&self, name: &str) -> Result<TextListColumn<'a>, ArrowError> {
        let array = self.find(name)?;
        match array.data_type() {
            DataType::List(item) if *item.data_type() == DataType::Utf8 => {
                Ok(TextListColumn(array.as_list()))
            }
            other => Err(wrong_type(name, other, "lists of texts")),
        }
    }

    fn find(&self, name: &str) -> Result<&'a ArrayRef, ArrowError> {
        let (index, _) = self
            .fields
            .find(name)
            .ok_or_else(|| ArrowError::SchemaError(format!("no column={name} in the batch")))?;
        Ok(&self.arrays[index])
    }
}

fn wrong_type(name: &str, found: &DataType, wanted: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column={name} holds {found}, wanted {wanted}"))
}

/// See [`Columns::text`].
pub enum TextColumn<'a> {
    Plain(&'a StringArray),
    View(&'a StringViewArray),
    Dictionary {
        array: &'a ArrayRef,
        keys: Vec<usize>,
        values: &'a StringArray,
    },
}

impl<'a> TextColumn<'a> {
    /// The text of `row`, or `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary {
                array,
                keys,
                values,
            } => array.is_valid(row).then(|| values.value(keys[row])),
        }
    }

    /// The text of `row` as an owner of its own.
    pub fn shared(&self, row: usize) -> Option<Arc<str>> {
        self.get(row).map(Arc::from)
    }

    /// Whether `row` holds exactly `wanted`.
    pub fn is(&self, row: usize, wanted: &str) -> bool {
        self.get(row) == Some(wanted)
    }
}

/// See [`Columns::integer`].
pub struct IntegerColumn(Int64Array);

impl IntegerColumn {
    /// The number of `row`, or `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<i64> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// See [`Columns::instant`].
pub struct InstantColumn<'a>(&'a arrow::array::PrimitiveArray<TimestampMicrosecondType>);

impl InstantColumn<'_> {
    /// The instant of `row`, or `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<TimestampMs> {
        self.0
            .is_valid(row)
            .then(|| TimestampMs::from_micros(self.0.value(row)))
    }
}

/// See [`Columns::decimal`].
pub struct DecimalColumn<'a>(&'a Decimal128Array);

impl DecimalColumn<'_> {
    /// The mantissa of `row` in millionths, or `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<i128> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// See [`Columns::flag`].
pub struct FlagColumn<'a>(&'a BooleanArray);

impl FlagColumn<'_> {
    /// The flag of `row`, or `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<bool> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// See [`Columns::list`].
pub struct ListColumn<'a>(&'a ListArray);

impl<'a> ListColumn<'a> {
    /// The columns of the items of all rows; [`ListColumn::range`] says which belong to a row.
    pub fn items(&self) -> Columns<'a> {
        let items = self.0.values().as_struct();
        Columns {
            fields: items.fields(),
            arrays: items.columns(),
        }
    }

    /// Rows of [`ListColumn::items`] that belong to `row`; empty where the list is NULL.
    pub fn range(&self, row: usize) -> Range<usize> {
        if self.0.is_null(row) {
            return 0..0;
        }
        let offsets = self.0.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }
}

/// See [`Columns::texts`].
pub struct TextListColumn<'a>(&'a ListArray);

impl TextListColumn<'_> {
    /// The texts of `row` as owners of their own; none where the list is NULL.
    pub fn get(&self, row: usize) -> Vec<Arc<str>> {
        if self.0.is_null(row) {
            return Vec::new();
        }
        let texts = self.0.value(row);
        let texts: &StringArray = texts.as_string();
        texts.iter().flatten().map(Arc::from).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{
        DictionaryArray, Int16Array, StructArray, TimestampMicrosecondArray, UInt8Array,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    fn batch() -> RecordBatch {
        let items = StructArray::from(vec![(
            Arc::new(Field::new("score", DataType::UInt8, true)),
            Arc::new(UInt8Array::from(vec![Some(4), None, Some(1)])) as ArrayRef,
        )]);
        let answers = ListArray::new(
            Arc::new(Field::new("item", items.data_type().clone(), true)),
            OffsetBuffer::from_lengths([2, 0, 1]),
            Arc::new(items),
            Some(vec![true, false, true].into()),
        );
        RecordBatch::try_from_iter_with_nullable([
            (
                "what",
                Arc::new(StringArray::from(vec![Some("FINAL"), None, Some("X")])) as ArrayRef,
                true,
            ),
            (
                "kind",
                Arc::new(
                    vec![Some("ENQUIRY"), None, Some("RESCUE")]
                        .into_iter()
                        .collect::<DictionaryArray<Int32Type>>(),
                ),
                true,
            ),
            (
                "line_no",
                Arc::new(Int16Array::from(vec![Some(1), None, Some(-3)])),
                true,
            ),
            (
                "at",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![Some(1_999), None, Some(-1)])
                        .with_timezone("UTC"),
                ),
                true,
            ),
            (
                "answered",
                Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
                true,
            ),
            ("answers", Arc::new(answers), true),
        ])
        .unwrap()
    }

    fn every<T>(get: impl Fn(usize) -> T) -> Vec<T> {
        (0..3).map(get).collect()
    }

    #[test]
    fn values_and_nulls_of_every_kind() {
        let batch = batch();
        let columns = Columns::of(&batch);
        let what = columns.text("what").unwrap();
        assert_eq!(every(|r| what.get(r)), [Some("FINAL"), None, Some("X")]);
        assert!(what.is(0, "FINAL") && !what.is(1, "FINAL"));
        let kind = columns.text("kind").unwrap();
        assert_eq!(
            every(|r| kind.get(r)),
            [Some("ENQUIRY"), None, Some("RESCUE")]
        );
        let line = columns.integer("line_no").unwrap();
        assert_eq!(every(|r| line.get(r)), [Some(1), None, Some(-3)]);
        let at = columns.instant("at").unwrap();
        let ms = |row| at.get(row).map(TimestampMs::as_ms);
        assert_eq!(every(ms), [Some(1), None, Some(-1)]);
        let answered = columns.flag("answered").unwrap();
        assert_eq!(every(|r| answered.get(r)), [Some(true), None, Some(false)]);
    }

    #[test]
    fn items_of_a_list_also_in_a_slice() {
        let whole = batch();
        let last = whole.slice(2, 1);
        for (batch, row, expected) in [(&whole, 0, vec![Some(4), None]), (&last, 0, vec![Some(1)])]
        {
            let answers = Columns::of(batch).list("answers").unwrap();
            let score = answers.items().integer("score").unwrap();
            let found: Vec<_> = answers.range(row).map(|item| score.get(item)).collect();
            assert_eq!(found, expected);
        }
        let answers = Columns::of(&whole).list("answers").unwrap();
        assert!(answers.range(1).is_empty());
    }

    #[test]
    fn a_missing_or_wrong_column_is_named() {
        let batch = batch();
        let columns = Columns::of(&batch);
        let missing = columns.integer("nothing").err().unwrap().to_string();
        assert!(missing.contains("column=nothing"), "{missing}");
        let wrong = columns.integer("what").err().unwrap().to_string();
        assert!(
            wrong.contains("column=what") && wrong.contains("Utf8"),
            "{wrong}"
        );
    }
}
