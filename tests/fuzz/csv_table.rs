//! A table of texts, written as CSV or Parquet.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::Rng;
use rand::seq::{IndexedMutRandom, IndexedRandom};

use crate::mutate::Random;

/// Values at the ends of what the columns hold, and some that are none.
const ODD_CELLS: [&str; 28] = [
    "",
    " ",
    "true",
    "TRUE",
    "2",
    "0",
    "-1",
    "9223372036854775807",
    "1e300",
    "UNKNOWN",
    "ALL",
    "T1",
    "a|b",
    "|",
    "a\\|b%7C",
    "1970-01-01",
    "0000-00-00",
    "9999-12-31",
    "+262143-01-01",
    "2026-02-30",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00+23:59",
    "9999-12-31T23:59:60Z",
    "-9999-01-01T00:00:00Z",
    "24:00",
    "\"",
    "a\nb,c",
    "\u{0}\u{202e}é",
];

/// See the module's page.
pub(crate) struct Table {
    /// The header first.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// From lines of cells without quotes.
    pub(crate) fn new(text: &str) -> Self {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        Self {
            rows: text.lines().map(cells).collect(),
        }
    }

    /// Changes cells, rows, columns.
    pub(crate) fn damage(&mut self, random: &mut Random) {
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..self.rows.len());
            match random.random_range(0..10) {
                0 => {
                    let row = self.rows[at].clone();
                    self.rows.push(row);
                }
                1 if at > 0 => drop(self.rows.remove(at)),
                2 => {
                    let column = random.random_range(0..self.rows[0].len());
                    for row in &mut self.rows {
                        let cell = row.get(column).cloned();
                        row.extend(cell);
                    }
                }
                3 => {
                    let column = random.random_range(0..self.rows[0].len());
                    for row in self.rows.iter_mut().filter(|row| row.len() > 1) {
                        row.remove(column.min(row.len() - 1));
                    }
                }
                4 => self.rows.swap(0, at),
                5 => drop(self.rows[at].pop()),
                _ => {
                    let odd = ODD_CELLS.choose(random).copied().unwrap_or_default();
                    if let Some(cell) = self.rows[at].choose_mut(random) {
                        *cell = odd.to_owned();
                    }
                }
            }
            if self.rows[0].is_empty() {
                self.rows[0].push("sku_id".to_owned());
            }
        }
    }

    pub(crate) fn to_csv(&self) -> Vec<u8> {
        let quoted = |cell: &String| {
            if cell.contains(['"', ',', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        self.rows.iter().map(line).collect::<String>().into_bytes()
    }

    /// Each column in some type; a cell that the type cannot hold is NULL.
    pub(crate) fn to_parquet(&self, random: &mut Random) -> Result<Vec<u8>> {
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (index, name) in self.rows[0].iter().enumerate() {
            let cells = self.rows[1..].iter().map(|row| row.get(index));
            let texts = cells.map(|cell| cell.filter(|cell| !cell.is_empty()));
            let texts: StringArray = texts.map(|cell| cell.map(String::as_str)).collect();
            let to = data_type(random);
            let column: ArrayRef = if can_cast_types(&DataType::Utf8, &to) {
                cast(&texts, &to)?
            } else {
                Arc::new(texts)
            };
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let compression = match random.random_range(0..3) {
            0 => Compression::UNCOMPRESSED,
            1 => Compression::SNAPPY,
            _ => Compression::ZSTD(ZstdLevel::default()),
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(random.random_bool(0.5))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        Ok(writer.into_inner()?)
    }
}

fn data_type(random: &mut Random) -> DataType {
    let utc = || Some("UTC".into());
    let types = [
        DataType::Boolean,
        DataType::Int64,
        DataType::UInt8,
        DataType::Float64,
        DataType::Date32,
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Timestamp(TimeUnit::Millisecond, utc()),
        DataType::Timestamp(TimeUnit::Microsecond, utc()),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("+08:00".into())),
        DataType::Decimal128(20, 0),
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        DataType::new_list(DataType::Utf8, true),
    ];
    if random.random_bool(0.6) {
        return DataType::Utf8;
    }
    types.choose(random).cloned().unwrap_or(DataType::Utf8)
}
