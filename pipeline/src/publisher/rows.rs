//! Rows of public tables from what shards sealed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;
use serde::Serialize;

use crate::alert::Severity;
use crate::columns::{conform, instant, int32};
use crate::round::RowChanges;
use crate::shard::{LateEvent, OrphanRow, from_ipc};
use crate::time::{Window, Zone};

/// The column `epoch` of so many rows.
pub(super) fn epoch_column(rows: usize, epoch: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![epoch; rows]))
}

/// Accepted events of one seal as rows of `events.<topic>`; `mine` says which partitions the shard accounts for.
pub(super) fn event_rows(
    ipc: &[u8],
    schema: &SchemaRef,
    zone: Zone,
    epoch: i64,
    mine: impl Fn(i32) -> bool,
) -> Result<Vec<RecordBatch>, ArrowError> {
    from_ipc(ipc)?
        .into_iter()
        .map(|batch| {
            let partitions = int32(&batch, "partition")?;
            let keep: BooleanArray = partitions.iter().map(|p| p.map(&mine)).collect();
            let batch = if keep.true_count() == batch.num_rows() {
                batch
            } else {
                filter_record_batch(&batch, &keep)?
            };
            let days = Date32Array::from_iter_values(
                instant(&batch, "occurred_at")?
                    .values()
                    .iter()
                    .map(|us| zone.day_of(TimestampMs::from_micros(*us)).0),
            );
            conform(
                &batch,
                schema,
                &[
                    ("epoch", epoch_column(batch.num_rows(), epoch)),
                    ("event_date", Arc::new(days)),
                ],
            )
        })
        .collect()
}

/// Weighted facts of one seal as rows of `facts.<name>`.
pub(super) fn fact_rows(
    ipc: &[u8],
    schema: &SchemaRef,
    epoch: i64,
) -> Result<Vec<RecordBatch>, ArrowError> {
    from_ipc(ipc)?
        .into_iter()
        .map(|batch| {
            let rows = batch.num_rows();
            conform(&batch, schema, &[("epoch", epoch_column(rows, epoch))])
        })
        .collect()
}

/// What is the same for all rows of a window in an epoch.
pub(super) struct RevisionStamp {
    pub window: Window,
    pub zone: Zone,
    pub restated: bool,
    pub emitted_at: TimestampMs,
    pub epoch: i64,
}

/// New revisions of metric rows as rows of their table.
pub(super) fn metric_rows(
    changes: &RowChanges,
    schema: &SchemaRef,
    stamp: &RevisionStamp,
) -> Result<RecordBatch, ArrowError> {
    let rows = changes.rows.num_rows();
    let at = |instant: TimestampMs| -> ArrayRef {
        Arc::new(
            TimestampMicrosecondArray::from(vec![instant.as_micros(); rows]).with_timezone("UTC"),
        )
    };
    conform(
        &changes.rows,
        schema,
        &[
            (
                "window_kind",
                Arc::new(StringArray::from(vec![stamp.window.kind.as_str(); rows])),
            ),
            ("window_start", at(stamp.window.starts_at(stamp.zone))),
            ("window_end", at(stamp.window.ends_at(stamp.zone))),
            (
                "window_date",
                Arc::new(Date32Array::from(vec![stamp.window.first.0; rows])),
            ),
            (
                "revision",
                Arc::new(Int32Array::from(changes.revisions.clone())),
            ),
            (
                "restated",
                Arc::new(BooleanArray::from(vec![stamp.restated; rows])),
            ),
            ("emitted_at", at(stamp.emitted_at)),
            ("epoch", epoch_column(rows, stamp.epoch)),
        ],
    )
}

/// Plain structs as rows; instants are µs, dates `YYYY-MM-DD`.
pub(super) fn plain_rows<R: Serialize>(
    rows: &[R],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    let batches: Vec<RecordBatch> =
        std::iter::from_fn(|| decoder.flush().transpose()).collect::<Result<_, _>>()?;
    concat_batches(schema, &batches)
}

#[derive(Serialize)]
pub(super) struct WatermarkRow {
    pub epoch: i64,
    pub shard: u32,
    pub topic: String,
    pub partition: i32,
    pub next_offset: i64,
    pub watermark_at: Option<i64>,
    pub horizon_at: Option<i64>,
    pub is_at_end: bool,
    pub emitted_at: i64,
}

#[derive(Serialize)]
pub(super) struct ConservationRow {
    pub shard: u32,
    pub seal: u64,
    pub topic: String,
    pub partition: i32,
    pub read_n: u64,
    pub accepted_n: u64,
    pub duplicate_n: u64,
    pub dead_letter_n: u64,
    pub too_late_n: u64,
    pub missing_n: u64,
    pub sealed_at: i64,
    pub epoch: i64,
    pub event_date: String,
}

#[derive(Serialize)]
pub(super) struct LateRow {
    topic: String,
    partition: i32,
    offset: i64,
    event_id: String,
    event_type: String,
    scope: Option<String>,
    occurred_at: i64,
    recorded_at: i64,
    limit_at: i64,
    shard: u32,
    epoch: i64,
    event_date: String,
}

impl LateRow {
    pub(super) fn new(late: &LateEvent, shard: u32, epoch: i64, zone: Zone) -> Self {
        Self {
            topic: late.input.topic.clone(),
            partition: late.input.partition,
            offset: late.offset,
            event_id: late.event_id.clone(),
            event_type: late.event_type.clone(),
            scope: late.scope.clone(),
            occurred_at: late.occurred_at.as_micros(),
            recorded_at: late.recorded_at.as_micros(),
            limit_at: late.limit.as_micros(),
            shard,
            epoch,
            event_date: zone.day_of(late.occurred_at).date().to_string(),
        }
    }
}

/// A correction that names nothing within reach, as a weighted fact: a later event may take it back.
#[derive(Serialize)]
pub(super) struct OrphanFact {
    topic: String,
    event_id: String,
    corrects: String,
    occurred_at: i64,
    pane: String,
    weight: i64,
    epoch: i64,
}

impl OrphanFact {
    pub(super) fn new(orphan: &OrphanRow, topic: &str, epoch: i64, zone: Zone) -> Self {
        Self {
            topic: topic.to_owned(),
            event_id: orphan.event_id.clone(),
            corrects: orphan.corrects.clone(),
            occurred_at: orphan.occurred_at.as_micros(),
            pane: zone.day_of(orphan.occurred_at).date().to_string(),
            weight: orphan.weight,
            epoch,
        }
    }
}

/// A loaded alert rule, a row of `ops.rules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCard {
    pub rule_id: Arc<str>,
    pub rule_version: u32,
    pub title: Arc<str>,
    /// What it watches, in words.
    pub condition: String,
    /// The highest it can reach.
    pub severity: Severity,
    pub owner_role: Arc<str>,
    pub escalation_role: Arc<str>,
}

#[derive(Serialize)]
pub(super) struct RuleRow {
    #[serde(flatten)]
    pub card: RuleCard,
    pub loaded_at: i64,
    pub epoch: i64,
}

#[derive(Serialize)]
pub(super) struct EpochRow {
    pub epoch: i64,
    pub committed_at: i64,
    pub table_name: String,
    pub version: i64,
    pub cut: String,
}

#[derive(Serialize)]
pub(super) struct FinalityRow {
    pub table_name: String,
    pub window_kind: String,
    pub final_until: i64,
    pub epoch: i64,
}
