//! Parquet files in memory, with the types that other writers choose.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::{
    BinaryArray, Date64Array, Decimal128Array, DictionaryArray, FixedSizeListBuilder, Float64Array,
    Int8Array, Int32Builder, Int64Array, LargeListBuilder, LargeStringArray, LargeStringBuilder,
    NullArray, StringArray, StringViewArray, Time32MillisecondArray, Time64MicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;

use super::*;
use crate::error::Problem;
use crate::reference::fixture;

/// A column of a Parquet file as it is read, or what is wrong with the file.
fn read(column: &str, array: ArrayRef) -> Result<ArrayRef, Vec<String>> {
    let (file, key) = if column == "launch_date" {
        ("ref_sku.parquet", "sku_id")
    } else if column == "cap_qty" {
        ("ref_allocation_plan.parquet", "sku_id")
    } else {
        ("ref_customer.parquet", "customer_id")
    };
    let ids = (0..array.len()).map(|row| Some(format!("ID{row}")));
    let ids: StringArray = ids.collect();
    let mut columns = vec![(column, array, true)];
    if column != key {
        columns.push((key, Arc::new(ids.clone()), true));
    }
    if column == "cap_qty" {
        columns.push(("class_id", Arc::new(ids.clone()), true));
        columns.push(("area_unit_id", Arc::new(ids), true));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    match fixture::load(&[(file, bytes)]) {
        Ok(reference) => {
            let (_, rows) = reference.tables().next().unwrap();
            Ok(rows[column].clone())
        }
        Err(error) => Err(error.problems().iter().map(Problem::to_string).collect()),
    }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn lists(values: &[Option<&[&str]>]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for value in values {
        match value {
            Some(items) => lists.append_value(items.iter().copied().map(Some)),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

fn flags(values: &[Option<bool>]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

fn dates(days: &[Option<i32>]) -> ArrayRef {
    Arc::new(Date32Array::from(days.to_vec()))
}

fn instants(micros: &[Option<i64>]) -> ArrayRef {
    instants_of(micros.to_vec())
}

fn assert_reads(column: &str, found: Vec<ArrayRef>, expected: &ArrayRef) {
    for array in found {
        let data_type = array.data_type().clone();
        let read =
            read(column, array).unwrap_or_else(|problems| panic!("{data_type}: {problems:?}"));
        assert_eq!(&read, expected, "{column} of type {data_type}");
    }
}

#[test]
fn texts_are_read_from_every_type_of_text_and_from_whole_numbers() {
    let dictionary: DictionaryArray<Int32Type> = [Some("A"), None, Some("A")].into_iter().collect();
    assert_reads(
        "class_id",
        vec![
            texts(&[Some("A"), None, Some("A")]),
            Arc::new(LargeStringArray::from(vec![Some("A"), None, Some("A")])),
            Arc::new(StringViewArray::from(vec![Some("A"), None, Some("A")])),
            Arc::new(dictionary),
        ],
        &texts(&[Some("A"), None, Some("A")]),
    );
    assert_reads(
        "customer_id",
        vec![
            Arc::new(Int64Array::from(vec![7, 10])),
            Arc::new(UInt64Array::from(vec![7, 10])),
        ],
        &texts(&[Some("7"), Some("10")]),
    );
    assert_reads(
        "status",
        vec![flags(&[Some(true), Some(false)])],
        &texts(&[Some("true"), Some("false")]),
    );
}

#[test]
fn texts_are_read_from_what_has_one_text() {
    let minutes = [Some(8 * 60 + 30), None].map(|minutes| minutes.map(|m: i64| m * 60));
    let millis = minutes.map(|seconds| seconds.map(|s| i32::try_from(s * 1_000).unwrap()));
    let micros = minutes.map(|seconds| seconds.map(|s| s * 1_000_000));
    assert_reads(
        "class_id",
        vec![
            Arc::new(Time32MillisecondArray::from(millis.to_vec())),
            Arc::new(Time64MicrosecondArray::from(micros.to_vec())),
        ],
        &texts(&[Some("08:30:00"), None]),
    );
    let tens = Decimal128Array::from(vec![Some(10), None]);
    let bytes = BinaryArray::from(vec![Some(b"10".as_slice()), None]);
    assert_reads(
        "territory_id",
        vec![
            Arc::new(tens.with_precision_and_scale(20, 0).unwrap()),
            Arc::new(bytes),
        ],
        &texts(&[Some("10"), None]),
    );
    assert_reads(
        "territory_id",
        vec![dates(&[Some(20_458), None])],
        &texts(&[Some("2026-01-05"), None]),
    );
}

#[test]
fn lists_are_read_from_text_and_from_every_type_of_list() {
    let mut large = LargeListBuilder::new(LargeStringBuilder::new());
    large.append_value([Some("1"), Some("3")]);
    large.append_null();
    let mut fixed = FixedSizeListBuilder::new(Int32Builder::new(), 2);
    fixed.values().append_slice(&[1, 3]);
    fixed.append(true);
    fixed.values().append_nulls(2);
    fixed.append(false);
    assert_reads(
        "order_weekdays",
        vec![
            lists(&[Some(&["1", "3"]), None]),
            Arc::new(LargeStringArray::from(vec![Some("1|3"), None])),
            Arc::new(StringViewArray::from(vec![Some("1|3"), None])),
            Arc::new(large.finish()),
            Arc::new(fixed.finish()),
        ],
        &lists(&[Some(&["1", "3"]), None]),
    );
}

#[test]
fn flags_are_read_from_text_and_from_0_and_1() {
    assert_reads(
        "is_sample",
        vec![
            flags(&[Some(true), Some(false), None]),
            Arc::new(LargeStringArray::from(vec![
                Some("true"),
                Some("false"),
                None,
            ])),
            Arc::new(Int8Array::from(vec![Some(1), Some(0), None])),
        ],
        &flags(&[Some(true), Some(false), None]),
    );
}

#[test]
fn dates_are_read_from_text_and_from_instants_at_the_start_of_a_day() {
    const DAY_S: i64 = 86_400;
    assert_reads(
        "launch_date",
        vec![
            dates(&[Some(1), None, Some(-1)]),
            Arc::new(StringViewArray::from(vec![
                Some("1970-01-02"),
                None,
                Some("1969-12-31"),
            ])),
            Arc::new(Date64Array::from(vec![
                Some(1_000 * DAY_S),
                None,
                Some(-1_000 * DAY_S),
            ])),
            Arc::new(TimestampSecondArray::from(vec![
                Some(DAY_S),
                None,
                Some(-DAY_S),
            ])),
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_000_000_000 * DAY_S),
                None,
                Some(-1_000_000_000 * DAY_S),
            ])),
        ],
        &dates(&[Some(1), None, Some(-1)]),
    );
}

#[test]
fn instants_are_read_from_text_and_from_every_unit() {
    let (at_s, zone) = (1_767_542_400, "+08:00");
    assert_reads(
        "valid_from",
        vec![
            instants(&[Some(1_000_000 * at_s), None]),
            Arc::new(StringViewArray::from(vec![
                Some("2026-01-05T00:00:00+08:00"),
                None,
            ])),
            Arc::new(TimestampSecondArray::from(vec![Some(at_s), None])),
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(1_000 * at_s),
                None,
            ])),
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_000 * at_s), None]).with_timezone(zone),
            ),
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_000_000_000 * at_s),
                None,
            ])),
        ],
        &instants(&[Some(1_000_000 * at_s), None]),
    );
}

#[test]
fn a_column_without_a_value_may_have_any_type() {
    assert_reads(
        "launch_date",
        vec![
            Arc::new(Float64Array::from(vec![None::<f64>, None])),
            Arc::new(NullArray::new(2)),
        ],
        &dates(&[None, None]),
    );
}

#[test]
fn what_would_be_lost_is_a_problem_with_file_column_and_type() {
    let cases: [(&str, ArrayRef, &str); 10] = [
        (
            "class_id",
            Arc::new(Float64Array::from(vec![1.5])),
            "ref_customer.parquet: column=class_id: a column of type Float64 cannot be read as texts",
        ),
        (
            "order_weekdays",
            Arc::new(Int8Array::from(vec![1])),
            "ref_customer.parquet: column=order_weekdays: a column of type Int8 cannot be read as lists of texts",
        ),
        (
            "is_sample",
            Arc::new(Float64Array::from(vec![1.0])),
            "ref_customer.parquet: column=is_sample: a column of type Float64 cannot be read as flags",
        ),
        (
            "is_sample",
            Arc::new(Int8Array::from(vec![1, 2])),
            "ref_customer.parquet:2: column=is_sample: `2` is neither 0 nor 1",
        ),
        (
            "is_sample",
            Arc::new(LargeStringArray::from(vec!["yes"])),
            "ref_customer.parquet:1: column=is_sample: `yes` is neither true nor false",
        ),
        (
            "launch_date",
            Arc::new(Int64Array::from(vec![20_260_105])),
            "ref_sku.parquet: column=launch_date: a column of type Int64 cannot be read as dates",
        ),
        (
            "launch_date",
            Arc::new(TimestampMillisecondArray::from(vec![0, 1])),
            "ref_sku.parquet:2: column=launch_date: `1` of type Timestamp(ms) is not the start of a day",
        ),
        (
            "valid_from",
            dates(&[Some(1)]),
            "ref_customer.parquet: column=valid_from: a column of type Date32 cannot be read as instants",
        ),
        (
            "valid_from",
            Arc::new(TimestampNanosecondArray::from(vec![1])),
            "ref_customer.parquet:1: column=valid_from: `1` of type Timestamp(ns) is finer than a microsecond",
        ),
        (
            "valid_from",
            Arc::new(TimestampMillisecondArray::from(vec![i64::MAX])),
            "ref_customer.parquet:1: column=valid_from: `9223372036854775807` of type Timestamp(ms) is beyond the calendar",
        ),
    ];
    for (column, array, expected) in cases {
        assert_eq!(read(column, array).unwrap_err(), [expected]);
    }
}

#[test]
fn quantities_are_read_from_whole_numbers_and_text_within_their_bounds() {
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), None, Some(100_000_000)]));
    let unsigned = UInt64Array::from(vec![Some(0), None, Some(100_000_000)]);
    let decimal = Decimal128Array::from(vec![Some(0), None, Some(100_000_000)]);
    let written: Vec<ArrayRef> = vec![
        expected.clone(),
        Arc::new(unsigned),
        Arc::new(decimal.with_precision_and_scale(12, 0).unwrap()),
        texts(&[Some("0"), None, Some("100000000")]),
    ];
    assert_reads("cap_qty", written, &expected);
    let quantity = "is not a whole quantity from 0 to 100000000";
    let negative: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(-1)]));
    assert_eq!(
        read("cap_qty", negative).unwrap_err(),
        [format!(
            "ref_allocation_plan.parquet:2: column=cap_qty: `-1` {quantity}"
        )]
    );
    let halves: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    assert_eq!(
        read("cap_qty", halves).unwrap_err(),
        [
            "ref_allocation_plan.parquet: column=cap_qty: a column of type Float64 cannot be read as whole quantities"
        ]
    );
}
