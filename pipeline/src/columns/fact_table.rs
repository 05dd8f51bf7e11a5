//! Columns of a fact table, declared once: schema and batches come from the same list.

use std::sync::{Arc, OnceLock};

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

use super::comment;

/// One column of a fact table of `F`: its name, what it means, and where its value stands in the fact.
pub struct FactColumn<F: 'static> {
    name: &'static str,
    comment: &'static str,
    value: FactGetter<F>,
}

enum FactGetter<F: 'static> {
    Text(fn(&F) -> &str),
    OptionalText(fn(&F) -> Option<&str>),
    TextList(fn(&F) -> &[Arc<str>]),
    Integer(fn(&F) -> i64),
    OptionalInteger(fn(&F) -> Option<i64>),
    Instant(fn(&F) -> TimestampMs),
    OptionalInstant(fn(&F) -> Option<TimestampMs>),
    Decimal(fn(&F) -> i128),
    OptionalDecimal(fn(&F) -> Option<i128>),
    Flag(fn(&F) -> bool),
}

/// One constructor for each kind of value; `comment` is shown by the catalog.
impl<F> FactColumn<F> {
    const fn new(name: &'static str, comment: &'static str, value: FactGetter<F>) -> Self {
        Self {
            name,
            comment,
            value,
        }
    }

    pub const fn text(name: &'static str, comment: &'static str, get: fn(&F) -> &str) -> Self {
        Self::new(name, comment, FactGetter::Text(get))
    }

    pub const fn optional_text(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> Option<&str>,
    ) -> Self {
        Self::new(name, comment, FactGetter::OptionalText(get))
    }

    pub const fn text_list(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> &[Arc<str>],
    ) -> Self {
        Self::new(name, comment, FactGetter::TextList(get))
    }

    pub const fn integer(name: &'static str, comment: &'static str, get: fn(&F) -> i64) -> Self {
        Self::new(name, comment, FactGetter::Integer(get))
    }

    pub const fn optional_integer(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> Option<i64>,
    ) -> Self {
        Self::new(name, comment, FactGetter::OptionalInteger(get))
    }

    /// An instant.
    pub const fn instant(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> TimestampMs,
    ) -> Self {
        Self::new(name, comment, FactGetter::Instant(get))
    }

    /// An instant that may be unknown.
    pub const fn optional_instant(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> Option<TimestampMs>,
    ) -> Self {
        Self::new(name, comment, FactGetter::OptionalInstant(get))
    }

    /// A DECIMAL(38, 6), given as its mantissa in millionths.
    pub const fn decimal(name: &'static str, comment: &'static str, get: fn(&F) -> i128) -> Self {
        Self::new(name, comment, FactGetter::Decimal(get))
    }

    /// A DECIMAL(38, 6) that may be unknown, given as its mantissa in millionths.
    pub const fn optional_decimal(
        name: &'static str,
        comment: &'static str,
        get: fn(&F) -> Option<i128>,
    ) -> Self {
        Self::new(name, comment, FactGetter::OptionalDecimal(get))
    }

    pub const fn flag(name: &'static str, comment: &'static str, get: fn(&F) -> bool) -> Self {
        Self::new(name, comment, FactGetter::Flag(get))
    }

    fn field(&self) -> Field {
        let (data_type, nullable) = match self.value {
            FactGetter::Text(_) => (DataType::Utf8, false),
            FactGetter::OptionalText(_) => (DataType::Utf8, true),
            FactGetter::TextList(_) => (DataType::List(Arc::new(list_item())), false),
            FactGetter::Integer(_) => (DataType::Int64, false),
            FactGetter::OptionalInteger(_) => (DataType::Int64, true),
            FactGetter::Instant(_) => (utc_microseconds(), false),
            FactGetter::OptionalInstant(_) => (utc_microseconds(), true),
            FactGetter::Decimal(_) => (DataType::Decimal128(38, 6), false),
            FactGetter::OptionalDecimal(_) => (DataType::Decimal128(38, 6), true),
            FactGetter::Flag(_) => (DataType::Boolean, false),
        };
        Field::new(self.name, data_type, nullable).with_metadata(comment(self.comment))
    }

    fn array(&self, facts: &[F]) -> Result<ArrayRef, ArrowError> {
        let rows = facts.iter();
        Ok(match self.value {
            FactGetter::Text(get) => Arc::new(StringArray::from_iter_values(rows.map(get))),
            FactGetter::OptionalText(get) => Arc::new(rows.map(get).collect::<StringArray>()),
            FactGetter::TextList(get) => {
                let mut lists = ListBuilder::new(StringBuilder::new()).with_field(list_item());
                for texts in rows.map(get) {
                    lists.append_value(texts.iter().map(Some));
                }
                Arc::new(lists.finish())
            }
            FactGetter::Integer(get) => Arc::new(Int64Array::from_iter_values(rows.map(get))),
            FactGetter::OptionalInteger(get) => Arc::new(rows.map(get).collect::<Int64Array>()),
            FactGetter::Instant(get) => Arc::new(
                TimestampMicrosecondArray::from_iter_values(rows.map(|fact| get(fact).as_micros()))
                    .with_timezone("UTC"),
            ),
            FactGetter::OptionalInstant(get) => Arc::new(
                rows.map(|fact| get(fact).map(TimestampMs::as_micros))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
            FactGetter::Decimal(get) => Arc::new(
                Decimal128Array::from_iter_values(rows.map(get)).with_precision_and_scale(38, 6)?,
            ),
            FactGetter::OptionalDecimal(get) => Arc::new(
                rows.map(get)
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(38, 6)?,
            ),
            FactGetter::Flag(get) => {
                Arc::new(BooleanArray::from_iter(rows.map(|fact| Some(get(fact)))))
            }
        })
    }
}

/// The name is Delta's and Parquet's for the item of a list.
fn list_item() -> Field {
    Field::new("element", DataType::Utf8, true)
}

fn utc_microseconds() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A fact table: what it holds and its columns.
///
/// ```
/// use pipeline::columns::{Columns, FactColumn, FactTable};
///
/// struct Answer {
///     question_id: String,
///     score: i64,
/// }
///
/// static TABLE: FactTable<Answer> = FactTable::new(
///     "Answers of surveys (答卷)",
///     &[
///         FactColumn::text("question_id", "question (问题)", |answer| &answer.question_id),
///         FactColumn::integer("score", "1 to 5 (评分)", |answer| answer.score),
///     ],
/// );
///
/// let batch = TABLE.batch(&[Answer { question_id: "Q0".into(), score: 5 }]).unwrap();
/// assert_eq!(batch.schema(), TABLE.schema());
/// assert_eq!(Columns::of(&batch).integer("score").unwrap().get(0), Some(5));
/// assert_eq!(TABLE.schema().field(1).metadata()["comment"], "1 to 5 (评分)");
/// ```
pub struct FactTable<F: 'static> {
    comment: &'static str,
    columns: &'static [FactColumn<F>],
    schema: OnceLock<SchemaRef>,
}

impl<F> FactTable<F> {
    pub const fn new(comment: &'static str, columns: &'static [FactColumn<F>]) -> Self {
        Self {
            comment,
            columns,
            schema: OnceLock::new(),
        }
    }

    /// The schema, with a `comment` on itself and on each field.
    pub fn schema(&self) -> SchemaRef {
        self.schema
            .get_or_init(|| {
                let fields: Vec<Field> = self.columns.iter().map(FactColumn::field).collect();
                Arc::new(Schema::new_with_metadata(fields, comment(self.comment)))
            })
            .clone()
    }

    /// `facts` as rows of [`FactTable::schema`], in their order.
    pub fn batch(&self, facts: &[F]) -> Result<RecordBatch, ArrowError> {
        let arrays = self
            .columns
            .iter()
            .map(|column| column.array(facts))
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema(), arrays)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::Columns;
    use super::*;
    use crate::time::fixture::at;

    struct Everything {
        at: TimestampMs,
        text: Option<&'static str>,
        millionths: Option<i128>,
        evidence: Vec<Arc<str>>,
    }

    static TABLE: FactTable<Everything> = FactTable::new(
        "All kinds of columns",
        &[
            FactColumn::text("text", "text", |f| f.text.unwrap_or("none")),
            FactColumn::optional_text("text_or_null", "text", |f| f.text),
            FactColumn::text_list("evidence", "event ids", |f| &f.evidence),
            FactColumn::integer("number", "ms", |f| f.at.as_ms()),
            FactColumn::optional_integer("number_or_null", "length", |f| {
                f.text.map(|text| text.len() as i64)
            }),
            FactColumn::instant("at", "when", |f| f.at),
            FactColumn::optional_instant("at_or_null", "when", |f| f.text.map(|_| f.at)),
            FactColumn::decimal("amount", "fen", |f| f.millionths.unwrap_or(0)),
            FactColumn::optional_decimal("amount_or_null", "fen", |f| f.millionths),
            FactColumn::flag("known", "whether there is a text", |f| f.text.is_some()),
        ],
    );

    #[test]
    fn what_is_written_is_read_back() {
        let facts = [
            Everything {
                at: at(1_700_000_000_123),
                text: Some("Q0"),
                millionths: Some(-1_500_000),
                evidence: vec!["a".into(), "b".into()],
            },
            Everything {
                at: at(-1),
                text: None,
                millionths: None,
                evidence: vec![],
            },
        ];
        let batch = TABLE.batch(&facts).unwrap();
        let columns = Columns::of(&batch);
        let text = columns.text("text").unwrap();
        assert_eq!((text.get(0), text.get(1)), (Some("Q0"), Some("none")));
        let text = columns.text("text_or_null").unwrap();
        assert_eq!((text.get(0), text.get(1)), (Some("Q0"), None));
        let length = columns.integer("number_or_null").unwrap();
        assert_eq!((length.get(0), length.get(1)), (Some(2), None));
        for name in ["at", "at_or_null"] {
            assert_eq!(
                columns.instant(name).unwrap().get(0),
                Some(at(1_700_000_000_123))
            );
        }
        assert_eq!(columns.instant("at").unwrap().get(1), Some(at(-1)));
        assert_eq!(columns.instant("at_or_null").unwrap().get(1), None);
        let amount = columns.decimal("amount_or_null").unwrap();
        assert_eq!((amount.get(0), amount.get(1)), (Some(-1_500_000), None));
        assert_eq!(columns.decimal("amount").unwrap().get(1), Some(0));
        assert_eq!(columns.flag("known").unwrap().get(1), Some(false));
        let evidence = columns.texts("evidence").unwrap();
        assert_eq!(evidence.get(0), facts[0].evidence);
        assert!(evidence.get(1).is_empty());
    }

    #[test]
    fn every_column_has_its_comment() {
        let schema = TABLE.schema();
        assert_eq!(schema.metadata()["comment"], "All kinds of columns");
        assert!(
            schema
                .fields()
                .iter()
                .all(|field| !field.metadata()["comment"].is_empty())
        );
        assert_eq!(TABLE.batch(&[]).unwrap().num_rows(), 0);
    }
}
