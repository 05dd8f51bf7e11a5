//! An epoch of hand-written Parquet files, for tests.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use schemas::time::{DurationMs, TimestampMs};

use super::catalog::{Finality, PinnedFile, PinnedTable, Snapshot, ViewDefinition};
use super::session::{Engine, Session};
use super::spill::SpillFolder;
use crate::columns::comment;
use crate::publisher::EpochRecord;
use crate::table::TableVersion;
use crate::time::fixture::at;

/// Midnight of 2026-01-05 in Shanghai.
pub(crate) const MONDAY: TimestampMs = at(1_767_542_400_000);

/// The record of an epoch that pins these versions and says nothing else.
pub(crate) fn epoch_record<const N: usize>(epoch: i64, tables: [(&str, i64); N]) -> EpochRecord {
    EpochRecord {
        epoch,
        committed_at: MONDAY,
        cut: Default::default(),
        tables: tables
            .map(|(table, version)| (table.to_owned(), TableVersion::numbered(version)))
            .into(),
        finality: Vec::new(),
        reference: String::new(),
        drained_to: None,
        clocks: Default::default(),
        unrevised: Vec::new(),
        identity: None,
    }
}

/// A folder with an epoch in it, deleted with it.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    pub snapshot: Snapshot,
}

impl Fixture {
    /// `metrics.demand_orders` of two days with three revisions, facts, a feed, reference data, a view.
    pub(crate) fn new() -> Self {
        let mut fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            snapshot: empty(),
        };
        fixture.metrics();
        fixture.facts();
        fixture.feed();
        fixture
            .snapshot
            .reference
            .push(("ref_sku".to_owned(), reference()));
        fixture.snapshot.views.push(ViewDefinition {
            schema: "ops".to_owned(),
            name: "busy_skus".to_owned(),
            sql: "SELECT sku_id, sum(requested_qty) AS requested_qty FROM metrics.demand_orders GROUP BY sku_id".to_owned(),
            comment: "demand by SKU".to_owned(),
            column_comments: vec![("requested_qty".to_owned(), "over all days".to_owned())],
        });
        fixture
    }

    pub(crate) async fn session(&self) -> Session {
        Session::open(&self.snapshot, &self.engine()).await.unwrap()
    }

    pub(crate) fn engine(&self) -> Engine {
        let store = LocalFileSystem::new_with_prefix(self.folder.path()).unwrap();
        Engine::new(
            Arc::new(store),
            64 << 20,
            &SpillFolder::in_storage(self.folder.path()),
        )
        .unwrap()
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn metrics(&mut self) {
        let day = |n: i64| (MONDAY + n * DurationMs::DAY).as_micros();
        let rows = |revision: i32, rows: &[(i64, &str, i64, i64)]| {
            let instants = |end: i64| {
                let of = rows.iter().map(move |row| day(row.0 + end));
                Arc::new(TimestampMicrosecondArray::from_iter_values(of).with_timezone("UTC"))
                    as ArrayRef
            };
            vec![
                Arc::new(StringArray::from(vec!["D1"; rows.len()])) as ArrayRef,
                instants(0),
                instants(1),
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3))),
                Arc::new(Int32Array::from(vec![revision; rows.len()])),
            ]
        };
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = commented(
            "demand by SKU (需求)",
            vec![
                ("window_kind", DataType::Utf8, "kind of window"),
                (
                    "window_date",
                    DataType::Date32,
                    "local date of window_start",
                ),
                ("window_start", instant.clone(), "first instant"),
                ("window_end", instant, "first instant after it"),
                ("sku_id", DataType::Utf8, "SKU (规格)"),
                (
                    "requested_qty",
                    DataType::Int64,
                    "requested quantity (需求量)",
                ),
                ("n", DataType::Int64, "facts behind the row"),
                ("revision", DataType::Int32, "from 1"),
            ],
        );
        let monday = Some("2026-01-05");
        let files = [
            (
                "a",
                monday,
                rows(1, &[(0, "S1", 10, 1), (0, "S2", 20, 2), (0, "S3", 30, 3)]),
            ),
            ("b", Some("2026-01-06"), rows(1, &[(1, "S1", 11, 1)])),
            ("c", monday, rows(2, &[(0, "S2", 25, 2), (0, "S3", 0, 0)])), // S3 is gone
            ("d", monday, rows(3, &[(0, "S2", 26, 2)])),
        ];
        let files = files.map(|(name, date, columns)| {
            self.write(&schema, "metrics/demand_orders", name, date, columns)
        });
        // In the folder, but of no epoch: must never be read.
        self.write(
            &schema,
            "metrics/demand_orders",
            "orphan",
            monday,
            rows(9, &[(0, "S1", 999, 1)]),
        );
        self.snapshot.tables.push(PinnedTable {
            schema_name: "metrics".to_owned(),
            name: "demand_orders".to_owned(),
            schema,
            partition_by: Some("window_date".to_owned()),
            key: ["window_kind", "window_start", "window_end", "sku_id"]
                .map(str::to_owned)
                .to_vec(),
            files: files.to_vec(),
        });
        let finality = |table: &str| Finality {
            table: table.to_owned(),
            window_kind: "D1".to_owned(),
            final_until: MONDAY + DurationMs::DAY,
        };
        self.snapshot.finality = vec![
            finality("metrics.demand_orders"),
            finality("feeds.demand_daily"),
        ];
    }

    fn facts(&mut self) {
        let schema = commented(
            "order lines",
            vec![
                ("sku_id", DataType::Utf8, "SKU (规格)"),
                ("price_fen", DataType::Decimal128(38, 6), "price in fen"),
                ("weight", DataType::Int32, "+1 or -1"),
                ("epoch", DataType::Int64, "epoch"),
            ],
        );
        let price = Decimal128Array::from(vec![1_500_000, 2_000_000, 1_500_000, 3_000_000]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["S1", "S2", "S1", "S1"])),
            Arc::new(price.with_precision_and_scale(38, 6).unwrap()),
            Arc::new(Int32Array::from(vec![1, 1, -1, 1])),
            Arc::new(Int64Array::from(vec![1, 1, 2, 2])),
        ];
        let file = self.write(&schema, "facts/order_lines", "a", None, columns);
        self.snapshot
            .tables
            .push(table("facts", "order_lines", schema, &[], vec![file]));
    }

    fn feed(&mut self) {
        let schema = commented(
            "demand feed",
            vec![
                ("unique_id", DataType::Utf8, "sku_id|territory_id"),
                ("ds", DataType::Date32, "local date"),
                ("y", DataType::Int64, "requested quantity"),
                ("revision", DataType::Int32, "from 1"),
            ],
        );
        let monday = 20_458;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["S1|T1"; 3])),
            Arc::new(arrow::array::Date32Array::from(vec![
                monday,
                monday,
                monday + 1,
            ])),
            Arc::new(Int64Array::from(vec![9, 10, 11])),
            Arc::new(Int32Array::from(vec![1, 2, 1])),
        ];
        let file = self.write(&schema, "feeds/demand_daily", "a", None, columns);
        self.snapshot.tables.push(table(
            "feeds",
            "demand_daily",
            schema,
            &["unique_id", "ds"],
            vec![file],
        ));
    }

    /// Writes the columns but for the partition column, as Delta does.
    fn write(
        &self,
        schema: &SchemaRef,
        folder: &str,
        name: &str,
        window_date: Option<&str>,
        columns: Vec<ArrayRef>,
    ) -> PinnedFile {
        let stored = schema
            .fields()
            .iter()
            .filter(|field| window_date.is_none() || field.name() != "window_date");
        let stored = Arc::new(Schema::new(stored.cloned().collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(stored.clone(), columns).unwrap();
        let path = format!("tables/{folder}/{name}.parquet");
        let full = self.folder.path().join(&path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&full).unwrap(), stored, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        PinnedFile {
            path: Path::from(path),
            size: full.metadata().unwrap().len(),
            partition_values: window_date
                .map(|date| ("window_date".to_owned(), Some(date.to_owned())))
                .into_iter()
                .collect(),
            rows: Some(batch.num_rows() as u64),
        }
    }
}

fn empty() -> Snapshot {
    Snapshot {
        epoch: 7,
        committed_at: MONDAY,
        zone: chrono_tz::Asia::Shanghai,
        tables: Vec::new(),
        finality: Vec::new(),
        reference: Vec::new(),
        views: Vec::new(),
    }
}

fn table(
    schema_name: &str,
    name: &str,
    schema: SchemaRef,
    key: &[&str],
    files: Vec<PinnedFile>,
) -> PinnedTable {
    PinnedTable {
        schema_name: schema_name.to_owned(),
        name: name.to_owned(),
        schema,
        partition_by: None,
        key: key.iter().map(|column| (*column).to_owned()).collect(),
        files,
    }
}

fn reference() -> RecordBatch {
    let schema = commented(
        "SKUs",
        vec![
            ("sku_id", DataType::Utf8, "SKU (规格)"),
            ("brand_id", DataType::Utf8, "brand"),
        ],
    );
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["S1", "S2"])),
        Arc::new(StringArray::from(vec![Some("B1"), None])),
    ];
    RecordBatch::try_new(schema, columns).unwrap()
}

fn commented(text: &str, columns: Vec<(&str, DataType, &str)>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, data_type, said)| {
        Field::new(name, data_type, true).with_metadata(comment(said))
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        comment(text),
    ))
}
