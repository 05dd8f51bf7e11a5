//! The status as a page for people: aligned columns, local times.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytesize::ByteSize;
use chrono::DateTime;
use chrono_tz::Tz;

use super::{Final, HousekeepingStatus, Status};

/// Alerts that are listed; the number of all stands above them.
const ALERTS_SHOWN: usize = 20;

/// The whole page.
pub fn page(status: &Status, zone: Tz) -> String {
    let local = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), |ms| local(ms, zone));
    let mut page = String::new();
    let mut say = |line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{line}");
    };
    match &status.epoch {
        None => say("epoch: none has been published yet".to_owned()),
        Some(epoch) => {
            say(format!(
                "epoch {}, published {} ago ({})",
                epoch.epoch,
                span(epoch.age_ms),
                local(Some(epoch.committed_at_ms))
            ));
            if let Some(at) = epoch.drained_to_ms {
                say(format!("drained to {}", local(Some(at))));
            }
            if epoch.unrevised_windows > 0 {
                say(format!(
                    "{} windows wait for their next revision",
                    epoch.unrevised_windows
                ));
            }
        }
    }
    let totals = &status.totals;
    say(format!(
        "read {} = accepted {} + duplicate {} + dead letters {} + too late {}",
        totals.read, totals.accepted, totals.duplicate, totals.dead_letters, totals.too_late
    ));
    say(format!(
        "storage: logs {}, tables {}",
        ByteSize(status.log_bytes),
        ByteSize(status.table_bytes)
    ));
    say(housekeeping(status.housekeeping.as_ref(), zone));

    let shards = status.shards.iter().map(|shard| {
        vec![
            shard.shard.to_string(),
            shard
                .seal
                .map_or_else(|| "-".to_owned(), |seal| seal.to_string()),
            local(shard.sealed_at_ms),
            shard
                .state_bytes
                .map_or_else(|| "-".to_owned(), |bytes| ByteSize(bytes).to_string()),
        ]
    });
    say(table(&["shard", "seal", "sealed at", "state"], shards));

    let inputs = status.inputs.iter().map(|input| {
        vec![
            input.shard.to_string(),
            format!("{}/{}", input.topic, input.partition),
            input.next_offset.to_string(),
            local(input.watermark_ms),
            if input.at_end { "yes" } else { "no" }.to_owned(),
            input
                .lag
                .map_or_else(|| "-".to_owned(), |lag| lag.to_string()),
        ]
    });
    say(table(
        &[
            "shard",
            "input",
            "next offset",
            "watermark",
            "at end",
            "lag",
        ],
        inputs,
    ));
    if let Some(why) = &status.lag_unknown {
        say(format!("lag is not known: {why}"));
    }

    if !status.finality.is_empty() {
        let rows = finality(&status.finality)
            .into_iter()
            .map(|(table, kinds, until_ms)| vec![table, kinds, local(Some(until_ms))]);
        say(table(&["table", "windows", "final until"], rows));
    }
    if !status.dead_letters.is_empty() {
        let rows = status.dead_letters.iter().map(|row| {
            vec![
                row.topic.clone(),
                row.reason.clone(),
                row.records.to_string(),
            ]
        });
        say(table(&["dead letters", "reason", "records"], rows));
    }
    say(format!("\nopen alerts: {}", status.open_alerts.len()));
    if !status.open_alerts.is_empty() {
        let rows = status.open_alerts.iter().take(ALERTS_SHOWN).map(|alert| {
            vec![
                alert.severity.clone(),
                alert.rule_id.clone(),
                alert.subject.clone(),
                local(Some(alert.first_fired_at_ms)),
            ]
        });
        say(table(&["severity", "rule", "subject", "since"], rows));
        let more = status.open_alerts.len().saturating_sub(ALERTS_SHOWN);
        if more > 0 {
            say(format!(
                "and {more} more: vitrine sql \"SELECT * FROM ops.alerts\""
            ));
        }
    }
    page
}

/// When housekeeping last ran, what went, and what stays for a while.
fn housekeeping(last: Option<&HousekeepingStatus>, zone: Tz) -> String {
    let Some(HousekeepingStatus { age_ms, done }) = last else {
        return "housekeeping: never".to_owned();
    };
    format!(
        "housekeeping: {} ago ({})\n  \
         deleted: {} table files ({}), {} log records and {} checkpoints ({}), {} delivered sink files ({}), {} leases\n  \
         waiting: {} replaced table files ({}), until they are old enough and no reader holds them",
        span(*age_ms),
        local(done.ran_at_ms, zone),
        done.tables.files,
        ByteSize(done.tables.bytes),
        done.logs.records,
        done.logs.checkpoints,
        ByteSize(done.logs.bytes),
        done.sink_records.files,
        ByteSize(done.sink_records.bytes),
        done.leases,
        done.tables.waiting_files,
        ByteSize(done.tables.waiting_bytes),
    )
}

/// A table's window kinds with the same instant share a line.
fn finality(rows: &[Final]) -> Vec<(String, String, i64)> {
    let mut lines: BTreeMap<(&str, i64), Vec<&str>> = BTreeMap::new();
    for row in rows {
        let kinds = lines.entry((&row.table, row.until_ms)).or_default();
        kinds.push(&row.window_kind);
    }
    lines
        .into_iter()
        .map(|((table, until_ms), kinds)| (table.to_owned(), kinds.join(" "), until_ms))
        .collect()
}

fn local(ms: i64, zone: Tz) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || "-".to_owned(),
        |at| {
            at.with_timezone(&zone)
                .format("%Y-%m-%d %H:%M:%S")
                .to_string()
        },
    )
}

/// `42s`, `5m 3s`, `2h 5m`, `3d 4h`.
fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A blank line, the header, and the rows, in columns as wide as their widest cell.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push('\n');
        text.push_str(cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use pipeline::run::housekeeping::{Housekept, TrimmedLogs};
    use pipeline::table::Vacuumed;

    use super::super::{EpochStatus, InputStatus, OpenAlert, ReasonCount, Sealed, Totals};
    use super::*;

    #[test]
    fn an_empty_storage_says_so() {
        let page = page(&Status::default(), chrono_tz::Asia::Shanghai);
        assert!(
            page.starts_with("epoch: none has been published yet\n"),
            "{page}"
        );
        assert!(page.contains("open alerts: 0"));
        assert!(page.contains("\nhousekeeping: never\n"), "{page}");
    }

    #[test]
    fn a_page_for_people() {
        let status = Status {
            epoch: Some(EpochStatus {
                epoch: 12,
                committed_at_ms: 1_767_542_400_000,
                age_ms: 65_000,
                drained_to_ms: None,
                unrevised_windows: 2,
            }),
            shards: vec![Sealed {
                shard: 0,
                seal: Some(40),
                sealed_at_ms: Some(1_767_542_400_000),
                state_bytes: None,
            }],
            inputs: vec![InputStatus {
                shard: 0,
                topic: "orders.v1".to_owned(),
                partition: 0,
                next_offset: 1234,
                watermark_ms: Some(1_767_542_340_000),
                at_end: true,
                lag: None,
            }],
            lag_unknown: Some("no broker answered".to_owned()),
            totals: Totals {
                read: 3,
                accepted: 2,
                duplicate: 1,
                ..Totals::default()
            },
            dead_letters: vec![ReasonCount {
                topic: "orders".to_owned(),
                reason: "bad_value".to_owned(),
                records: 7,
            }],
            open_alerts: vec![OpenAlert {
                subject: "A01|C1".to_owned(),
                rule_id: "A01".to_owned(),
                severity: "S2".to_owned(),
                state: "firing".to_owned(),
                first_fired_at_ms: 1_767_542_400_000,
            }],
            finality: ["D1", "W1"]
                .map(|kind| Final {
                    table: "metrics.sell_through".to_owned(),
                    window_kind: kind.to_owned(),
                    until_ms: 1_767_542_400_000,
                })
                .into(),
            housekeeping: Some(HousekeepingStatus {
                age_ms: 303_000,
                done: Housekept {
                    ran_at_ms: 1_767_542_400_000,
                    tables: Vacuumed {
                        files: 12,
                        bytes: 3 << 20,
                        waiting_files: 7,
                        waiting_bytes: 1 << 10,
                    },
                    logs: TrimmedLogs {
                        records: 40,
                        checkpoints: 2,
                        bytes: 2 << 20,
                    },
                    leases: 1,
                    ..Housekept::default()
                },
            }),
            ..Status::default()
        };
        let page = page(&status, chrono_tz::Asia::Shanghai);
        for line in [
            "epoch 12, published 1m 5s ago (2026-01-05 00:00:00)",
            "2 windows wait for their next revision",
            "read 3 = accepted 2 + duplicate 1 + dead letters 0 + too late 0",
            "housekeeping: 5m 3s ago (2026-01-05 00:00:00)",
            "  deleted: 12 table files (3.0 MiB), 40 log records and 2 checkpoints (2.0 MiB), 0 delivered sink files (0 B), 1 leases",
            "  waiting: 7 replaced table files (1.0 KiB), until they are old enough and no reader holds them",
            "shard  input        next offset  watermark            at end  lag",
            "0      orders.v1/0  1234         2026-01-04 23:59:00  yes     -",
            "lag is not known: no broker answered",
            "metrics.sell_through  D1 W1    2026-01-05 00:00:00",
            "orders        bad_value  7",
            "open alerts: 1",
            "S2        A01   A01|C1   2026-01-05 00:00:00",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
    }

    #[test]
    fn scripts_find_what_went_and_what_waits() {
        let status = Status {
            housekeeping: Some(HousekeepingStatus {
                age_ms: 5,
                done: Housekept {
                    ran_at_ms: 7,
                    tables: Vacuumed {
                        waiting_bytes: 9,
                        ..Vacuumed::default()
                    },
                    ..Housekept::default()
                },
            }),
            ..Status::default()
        };
        let json = serde_json::to_value(&status).unwrap();
        let said = &json["housekeeping"];
        assert_eq!(
            (&said["age_ms"], &said["ran_at_ms"]),
            (&5.into(), &7.into())
        );
        assert_eq!(said["tables"]["waiting_bytes"], 9);
        assert_eq!(said["logs"]["records"], 0);
        let json = serde_json::to_value(Status::default()).unwrap();
        assert!(json["housekeeping"].is_null());
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let spans = [-5, 59_999, 60_000, 3_600_000, 90_000_000].map(span);
        assert_eq!(spans, ["0s", "59s", "1m 0s", "1h 0m", "1d 1h"]);
    }
}
