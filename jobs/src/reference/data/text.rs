//! What every text of a reference table has to be, ids, codes, names and items of lists alike (K42).
//!
//! Text of this kind ends up in the records that feeds and alerts make: none may outgrow its topic or carry control characters.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use schemas::id::{MAX_BYTES, is_id};

/// Characters of a value that a message shows.
const SHOWN_CHARS: usize = 40;

/// A value as a message shows it: without control characters, and only its beginning if it is long.
pub(super) fn shown(value: &str) -> String {
    let mut shown = String::new();
    for character in value.chars().take(SHOWN_CHARS) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if value.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The texts with NULL in place of empty ones: a file of texts has no other way to say that there is no value.
pub(super) fn without_empty(texts: &ArrayRef) -> ArrayRef {
    let texts = texts.as_string::<i32>();
    if !texts.iter().any(|text| text == Some("")) {
        return Arc::new(texts.clone());
    }
    let kept = texts
        .iter()
        .map(|text| text.filter(|text| !text.is_empty()));
    Arc::new(kept.collect::<StringArray>())
}

/// Reports every text of a typed column, and every item of its lists, that no reference table may hold, with its row.
pub(super) fn check(column: &ArrayRef, report: &mut dyn FnMut(usize, String)) {
    match column.data_type() {
        DataType::Utf8 => {
            for (row, text) in column.as_string::<i32>().iter().enumerate() {
                if let Some((text, why)) = text.and_then(|text| Some((text, objection(text)?))) {
                    report(row, format!("`{}` {why}", shown(text)));
                }
            }
        }
        DataType::List(_) => {
            for (row, items) in column.as_list::<i32>().iter().enumerate() {
                let Some(items) = items else {
                    continue;
                };
                for item in items.as_string::<i32>() {
                    let item = item.unwrap_or_default();
                    if let Some(why) = objection(item) {
                        report(row, format!("item `{}` {why}", shown(item)));
                    }
                }
            }
        }
        _ => {}
    }
}

/// Why a text cannot stand in a reference table. Blanks around it are legal, as in the ids of events, and a warning of `check`.
fn objection(text: &str) -> Option<String> {
    if is_id(text) {
        return None;
    }
    let bytes = text.len();
    Some(if text.is_empty() {
        "is empty".to_owned()
    } else if bytes > MAX_BYTES {
        format!("has {bytes} bytes, {MAX_BYTES} are allowed")
    } else {
        "has control characters".to_owned()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{ListBuilder, StringBuilder};

    use super::*;
    use crate::error::Problem;
    use crate::reference::fixture;

    /// What is wrong with a Parquet file that holds this column.
    fn problems(file: &str, column: &str, array: ArrayRef) -> Vec<String> {
        let rows: StringArray = (0..array.len())
            .map(|row| Some(format!("ID{row}")))
            .collect();
        let key = if file == "ref_staff.parquet" {
            "staff_id"
        } else {
            "customer_id"
        };
        let mut columns = vec![(column, array, true)];
        if column != key {
            columns.push((key, Arc::new(rows), true));
        }
        let batch = arrow::record_batch::RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let error = fixture::load(&[(file, bytes)]).err();
        let found = error.iter().flat_map(crate::error::Error::problems);
        found.map(Problem::to_string).collect()
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    /// Texts that no column takes, and what is said of each.
    fn wrong_texts() -> Vec<(String, String)> {
        let beginning = "x".repeat(40);
        vec![
            (
                "x".repeat(257),
                format!("`{beginning}…` has 257 bytes, 256 are allowed"),
            ),
            (
                "x".repeat(700_000),
                format!("`{beginning}…` has 700000 bytes, 256 are allowed"),
            ),
            (
                "订".repeat(86),
                format!("`{}…` has 258 bytes, 256 are allowed", "订".repeat(40)),
            ),
            (
                "C\u{1b}[31m".to_owned(),
                "`C\\u{1b}[31m` has control characters".to_owned(),
            ),
            (
                "C\0".to_owned(),
                "`C\\u{0}` has control characters".to_owned(),
            ),
            (
                "C\u{85}".to_owned(),
                "`C\\u{85}` has control characters".to_owned(),
            ),
        ]
    }

    #[test]
    fn k42_no_file_has_a_text_that_is_no_id() {
        for (wrong, said) in wrong_texts() {
            for column in ["customer_id", "territory_id", "trade_area", "status"] {
                let file = if column == "customer_id" {
                    format!("customer_id,is_sample\nC1,\n\"{wrong}\",\n")
                } else {
                    format!("customer_id,{column}\nC1,\nC2,\"{wrong}\"\n")
                };
                let error = fixture::load(&[("ref_customer.csv", &file)]).err().unwrap();
                let found: Vec<_> = error.problems().iter().map(Problem::to_string).collect();
                assert_eq!(
                    found,
                    [format!("ref_customer.csv:3: column={column}: {said}")]
                );
                assert_eq!(
                    problems("ref_customer.parquet", column, texts(&["C1", &wrong])),
                    [format!("ref_customer.parquet:2: column={column}: {said}")]
                );
            }
        }
    }

    #[test]
    fn k42_items_of_lists_are_ids_too() {
        for (wrong, said) in wrong_texts()
            .into_iter()
            .chain([(String::new(), "`` is empty".to_owned())])
        {
            let file = format!("staff_id,territory_ids\nM1,T1\nM2,\"T1|{wrong}|T2\"\n");
            let error = fixture::load(&[("ref_staff.csv", &file)]).err().unwrap();
            let found: Vec<_> = error.problems().iter().map(Problem::to_string).collect();
            let expected = |place: &str| format!("{place}: column=territory_ids: item {said}");
            assert_eq!(found, [expected("ref_staff.csv:3")]);
            let mut lists = ListBuilder::new(StringBuilder::new());
            lists.append_value([Some("T1")]);
            lists.append_value([Some("T1"), Some(&wrong)]);
            let found = problems(
                "ref_staff.parquet",
                "territory_ids",
                Arc::new(lists.finish()),
            );
            assert_eq!(found, [expected("ref_staff.parquet:2")]);
        }
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("T1"), None]);
        assert_eq!(
            problems(
                "ref_staff.parquet",
                "territory_ids",
                Arc::new(lists.finish())
            ),
            ["ref_staff.parquet:1: column=territory_ids: item `` is empty"]
        );
    }

    #[test]
    fn an_empty_text_is_no_value_in_both_formats() {
        let empty = ["ref_customer.parquet:2: column=customer_id: must not be empty"];
        assert_eq!(
            problems("ref_customer.parquet", "customer_id", texts(&["C1", ""])),
            empty
        );
        for column in ["territory_id", "is_sample", "valid_to", "order_weekdays"] {
            let none: [&str; 0] = [];
            assert_eq!(
                problems("ref_customer.parquet", column, texts(&["", ""])),
                none
            );
        }
    }

    #[test]
    fn what_is_long_and_legal_is_read() {
        let longest = "x".repeat(256);
        let file = format!("customer_id,trade_area\n{longest},Old town 东区\n");
        assert!(fixture::load(&[("ref_customer.csv", &file)]).is_ok());
    }

    #[test]
    fn a_value_is_shown_in_part_and_without_control_characters() {
        for (value, in_message) in [
            ("S1", "S1".to_owned()),
            ("\u{1b}[2J\r\n", "\\u{1b}[2J\\r\\n".to_owned()),
            (&"订".repeat(40), "订".repeat(40)),
            (&"订".repeat(41), format!("{}…", "订".repeat(40))),
        ] {
            assert_eq!(shown(value), in_message);
        }
        let long = format!("sku_id,is_key_brand\nS1,{}\n", "y".repeat(1_000));
        let error = fixture::load(&[("ref_sku.csv", &long)]).err().unwrap();
        let cut = "y".repeat(40);
        assert_eq!(
            error.problems()[0].to_string(),
            format!("ref_sku.csv:2: column=is_key_brand: `{cut}…` is neither true nor false")
        );
    }
}
