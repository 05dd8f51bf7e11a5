//! Control records: which days of a feed are final, and which were restated after that.
//!
//! A record of the topic cannot say that it is final, for that comes with time: a control record says it of a whole day, and
//! a row of `feeds.status` says the same. Rows and checksum are those of the day as it is in force then, so that a reader
//! can verify that it has all of it.

use schemas::time::TimestampMs;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::cell::Cells;
use super::definition::FeedDefinition;
use super::flags::SeriesFlags;
use super::grid::{FeedGrid, flag_of};
use crate::sink::SinkRecord;
use crate::time::Day;

/// A row of `feeds.status`; instants are µs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StatusRow {
    pub feed: String,
    pub ds: String,
    pub control: &'static str,
    pub rows: i64,
    pub checksum: String,
    pub sequence: i64,
    pub emitted_at: i64,
    pub epoch: i64,
}

impl FeedGrid {
    /// Days that are final now that all before `final_before` are, and those of `changed` that were final already.
    pub(super) fn controls(
        &mut self,
        (feed, flags): (&FeedDefinition, &dyn SeriesFlags),
        changed: &[Day],
        final_before: Day,
        (epoch, now): (i64, TimestampMs),
    ) -> Vec<StatusRow> {
        let (Some(first), Some(complete)) = (self.days.keys().next(), self.last_complete) else {
            return Vec::new();
        };
        let known = self.final_before;
        let restated = changed.iter().filter(|day| Some(**day) < known);
        let mut days: Vec<(Day, &str)> = restated.map(|day| (*day, "restated")).collect();
        let from = known.unwrap_or(*first);
        let mut until = final_before.min(complete.plus(1));
        if let Some(pending) = self.pending.first() {
            until = until.min(*pending);
        }
        if until > from {
            // Of a day that no series covers there is nothing to say.
            let covered = self.covered(from, until.plus(-1));
            days.extend(covered.map(|day| (day, "final")));
            self.final_before = Some(until);
        }
        days.into_iter()
            .map(|(day, control)| {
                let (rows, checksum) = self.checksum((feed, flags), day);
                self.sequence += 1;
                StatusRow {
                    feed: feed.name.clone(),
                    ds: day.date().to_string(),
                    control,
                    rows,
                    checksum,
                    sequence: self.sequence,
                    emitted_at: now.as_micros(),
                    epoch,
                }
            })
            .collect()
    }

    /// Rows of a day and the SHA-256 of their lines: `unique_id|ds|<values>|<flag>|is_zero_filled`, in the order of `unique_id`; a NULL is empty.
    fn checksum(
        &self,
        (feed, flags): (&FeedDefinition, &dyn SeriesFlags),
        day: Day,
    ) -> (i64, String) {
        let empty = Cells::new();
        let cells = self.days.get(&day).unwrap_or(&empty);
        let ds = day.date();
        let (mut rows, mut hash) = (0, Sha256::new());
        for series in self.series(day) {
            rows += 1;
            let mut line = format!("{series}|{ds}");
            let cell = cells.get(series);
            for index in 0..feed.values.len() {
                line.push('|');
                let value = cell.map_or(Some(0), |cell| cell.values[index]);
                line.push_str(&value.map(|value| value.to_string()).unwrap_or_default());
            }
            let flag = flag_of(cell, flags, series, day);
            line.push_str(&format!("|{flag}|{}\n", cell.is_none()));
            hash.update(line);
        }
        (rows, hex::encode(hash.finalize()))
    }
}

impl StatusRow {
    /// The same as a record of the feed's topic.
    pub(super) fn record(&self, topic: &str) -> SinkRecord {
        let body = serde_json::json!({
            "feed": self.feed, "ds": self.ds, "control": self.control, "rows": self.rows, "checksum": self.checksum,
        });
        let header = |name: &'static str, value: String| (name.into(), Some(value.into()));
        SinkRecord {
            topic: topic.to_owned(),
            key: Some(format!("control|{}", self.ds).into()),
            value: Some(body.to_string().into()),
            headers: vec![
                header("control", self.control.to_owned()),
                header("epoch", self.epoch.to_string()),
                header("sequence", self.sequence.to_string()),
            ],
            may_be_cut: false,
        }
    }
}
