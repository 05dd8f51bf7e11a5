//! Rows of a feed as records of its topic.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use schemas::time::TimestampMs;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::cell::value;
use super::definition::{FeedDefinition, SERIES, ZERO_FILLED};
use super::grid::FeedGrid;
use crate::columns::{column, text};
use crate::pane::COUNT;
use crate::round::RowChanges;
use crate::sink::SinkRecord;
use crate::time::Day;

/// One record a row: key `unique_id|ds`, JSON, epoch and running sequence in the headers; null where the row no longer holds.
pub(super) fn records(
    feed: &FeedDefinition,
    grid: &mut FeedGrid,
    changes: &RowChanges,
    (day, epoch, as_of): (Day, i64, TimestampMs),
    topic: &str,
) -> Result<Vec<SinkRecord>, ArrowError> {
    let rows = &changes.rows;
    let series = text(rows, SERIES)?;
    let integers =
        |name: &str| Ok::<_, ArrowError>(column(rows, name)?.as_primitive::<Int64Type>());
    let values = feed
        .values
        .iter()
        .map(|name| integers(name))
        .collect::<Result<Vec<_>, _>>()?;
    let holds = integers(COUNT)?;
    let flag = column(rows, &feed.flag)?.as_boolean();
    let filled = column(rows, ZERO_FILLED)?.as_boolean();
    let ds = day.date().to_string();
    let mut records = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let body = (holds.value(row) > 0).then(|| {
            serde_json::to_vec(&Body {
                feed,
                series: series.value(row),
                ds: &ds,
                values: values.iter().map(|array| value(array, row)).collect(),
                flag: flag.value(row),
                is_zero_filled: filled.value(row),
                revision: changes.revisions[row],
                as_of,
            })
        });
        let body = body
            .transpose()
            .map_err(|error| ArrowError::ExternalError(error.into()))?;
        grid.sequence += 1;
        records.push(SinkRecord {
            topic: topic.to_owned(),
            key: Some(format!("{}|{ds}", series.value(row)).into()),
            value: body.map(Into::into),
            headers: vec![
                ("epoch".into(), Some(epoch.to_string().into())),
                ("sequence".into(), Some(grid.sequence.to_string().into())),
            ],
            may_be_cut: false,
        });
    }
    Ok(records)
}

/// The value of a record: one flat JSON object, its names those of the table's columns, `as_of` in ms UTC.
struct Body<'a> {
    feed: &'a FeedDefinition,
    series: &'a str,
    ds: &'a str,
    values: Vec<Option<i64>>,
    flag: bool,
    is_zero_filled: bool,
    revision: i32,
    as_of: TimestampMs,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(SERIES, self.series)?;
        map.serialize_entry("ds", self.ds)?;
        for (name, value) in self.feed.values.iter().zip(&self.values) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(&self.feed.flag, &self.flag)?;
        map.serialize_entry(ZERO_FILLED, &self.is_zero_filled)?;
        map.serialize_entry("revision", &self.revision)?;
        map.serialize_entry("as_of", &self.as_of)?;
        map.end()
    }
}
