//! The report as a page: aligned columns, local times.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use chrono_tz::Tz;
use pipeline::query::output::escaped;
use schemas::time::{DurationMs, TimestampMs};

use super::report::{
    EpochStatus, FinalityStatus, HousekeepingStatus, InputStatus, OpenAlert, SealedShard,
    StatusReport,
};
use crate::local_time;

/// Alerts that are listed; the page shows the number of all.
const ALERTS_SHOWN: usize = 20;

/// Characters of a cell that are shown.
const CELL_CHARS: usize = 80;

/// The whole page.
pub(super) fn page(report: &StatusReport, zone: Tz) -> String {
    let totals = &report.totals;
    let mut lines = epoch(report.epoch.as_ref(), zone);
    lines.push(format!(
        "read {} = accepted {} + duplicate {} + dead letters {} + too late {}",
        totals.read, totals.accepted, totals.duplicate, totals.dead_letters, totals.too_late
    ));
    lines.push(format!(
        "storage: logs {}, tables {}",
        ByteSize(report.log_bytes),
        ByteSize(report.table_bytes)
    ));
    lines.push(housekeeping(report.housekeeping.as_ref(), zone));
    lines.push(shards(&report.shards, zone));
    lines.push(inputs(&report.inputs, zone));
    if let Some(reason) = &report.lag_unknown {
        lines.push(format!("lag is not known: {reason}"));
    }
    if !report.finality.is_empty() {
        let rows = finality(&report.finality)
            .into_iter()
            .map(|(table, kinds, until)| vec![table, kinds, local(until, zone)]);
        lines.push(table(&["table", "windows", "final until"], rows));
    }
    if !report.dead_letters.is_empty() {
        let rows = report.dead_letters.iter().map(|row| {
            vec![
                row.topic.clone(),
                row.reason.clone(),
                row.records.to_string(),
            ]
        });
        lines.push(table(&["dead letters", "reason", "records"], rows));
    }
    if !report.given_up.is_empty() {
        let rows = report.given_up.iter();
        let rows = rows.map(|row| vec![row.destination.clone(), row.records.to_string()]);
        lines.push(table(&["given up for", "records"], rows));
        lines.push(
            "why: vitrine sql \"SELECT * FROM ops.deliveries WHERE outcome = 'REFUSED'\""
                .to_owned(),
        );
    }
    lines.extend(open_alerts(&report.open_alerts, zone));
    lines.join("\n") + "\n"
}

fn epoch(epoch: Option<&EpochStatus>, zone: Tz) -> Vec<String> {
    let Some(epoch) = epoch else {
        return vec!["epoch: none has been published yet".to_owned()];
    };
    let mut lines = vec![format!(
        "epoch {}, published {} ago ({})",
        epoch.epoch,
        span(epoch.age),
        local(epoch.committed_at, zone)
    )];
    if let Some(instant) = epoch.drained_to {
        lines.push(format!("drained to {}", local(instant, zone)));
    }
    if epoch.unrevised_windows > 0 {
        lines.push(format!(
            "{} windows wait for their next revision",
            epoch.unrevised_windows
        ));
    }
    lines
}

/// When housekeeping last ran, what went, and what stays for a while.
fn housekeeping(last: Option<&HousekeepingStatus>, zone: Tz) -> String {
    let Some(HousekeepingStatus { age, done }) = last else {
        return "housekeeping: never".to_owned();
    };
    format!(
        "housekeeping: {} ago ({})\n  \
         deleted: {} table files ({}), {} log records and {} checkpoints ({}), {} delivered sink files ({}), {} leases\n  \
         waiting: {} replaced table files ({}), until they are old enough and no reader holds them",
        span(*age),
        local(done.ran_at, zone),
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

fn shards(shards: &[SealedShard], zone: Tz) -> String {
    let rows = shards.iter().map(|shard| {
        vec![
            shard.shard.to_string(),
            or_dash(shard.seal, |seal| seal.to_string()),
            or_dash(shard.sealed_at, |instant| local(instant, zone)),
            or_dash(shard.state_bytes, |bytes| ByteSize(bytes).to_string()),
        ]
    });
    table(&["shard", "seal", "sealed at", "state"], rows)
}

fn inputs(inputs: &[InputStatus], zone: Tz) -> String {
    let rows = inputs.iter().map(|input| {
        vec![
            input.shard.to_string(),
            format!("{}/{}", input.topic, input.partition),
            input.next_offset.to_string(),
            or_dash(input.watermark, |instant| local(instant, zone)),
            if input.at_end { "yes" } else { "no" }.to_owned(),
            or_dash(input.lag, |lag| lag.to_string()),
        ]
    });
    let header = [
        "shard",
        "input",
        "next offset",
        "watermark",
        "at end",
        "lag",
    ];
    table(&header, rows)
}

fn open_alerts(alerts: &[OpenAlert], zone: Tz) -> Vec<String> {
    let mut lines = vec![format!("\nopen alerts: {}", alerts.len())];
    if alerts.is_empty() {
        return lines;
    }
    let rows = alerts.iter().take(ALERTS_SHOWN).map(|alert| {
        vec![
            alert.severity.clone(),
            alert.rule_id.clone(),
            alert.subject.clone(),
            local(alert.first_fired_at, zone),
        ]
    });
    lines.push(table(&["severity", "rule", "subject", "since"], rows));
    let more = alerts.len().saturating_sub(ALERTS_SHOWN);
    if more > 0 {
        lines.push(format!(
            "and {more} more: vitrine sql \"SELECT * FROM ops.alerts\""
        ));
    }
    lines
}

fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn local(instant: TimestampMs, zone: Tz) -> String {
    local_time::local(instant, zone, "%Y-%m-%d %H:%M:%S")
}

/// One line for all window kinds of a table that are final until the same instant.
fn finality(rows: &[FinalityStatus]) -> Vec<(String, String, TimestampMs)> {
    let mut lines: BTreeMap<(&str, TimestampMs), Vec<&str>> = BTreeMap::new();
    for row in rows {
        let kinds = lines.entry((&row.table, row.until)).or_default();
        kinds.push(&row.window_kind);
    }
    lines
        .into_iter()
        .map(|((table, until), kinds)| (table.to_owned(), kinds.join(" "), until))
        .collect()
}

/// `42s`, `5m 3s`, `2h 5m`, `3d 4h`.
fn span(duration: DurationMs) -> String {
    let s = duration.to_std().as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A cell on one line, cut where it is too long to be read beside others.
fn shown(cell: &str) -> String {
    let cell = escaped(cell);
    match cell.char_indices().nth(CELL_CHARS) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.into_owned(),
    }
}

/// A blank line, the header, and the rows, in columns as wide as their widest cell.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    let rows = rows.map(|cells| cells.iter().map(|cell| shown(cell)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        table.push('\n');
        table.push_str(cells.join("  ").trim_end());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::report::{GivenUp, ReasonCount, Totals};
    use super::*;

    /// 2026-01-05 00:00 in Shanghai.
    const MIDNIGHT: TimestampMs = TimestampMs::from_ms(1_767_542_400_000);

    #[test]
    fn an_empty_storage_has_no_epoch() {
        let page = page(&StatusReport::default(), chrono_tz::Asia::Shanghai);
        assert!(
            page.starts_with("epoch: none has been published yet\n"),
            "{page}"
        );
        assert!(page.contains("open alerts: 0"));
    }

    #[test]
    fn a_page_shows_every_part() {
        let report = StatusReport {
            epoch: Some(EpochStatus {
                epoch: 12,
                committed_at: MIDNIGHT,
                age: DurationMs::from_secs(65),
                drained_to: None,
                unrevised_windows: 2,
            }),
            shards: vec![SealedShard {
                shard: 0,
                seal: Some(40),
                sealed_at: Some(MIDNIGHT),
                state_bytes: None,
            }],
            inputs: vec![InputStatus {
                shard: 0,
                topic: "orders.v1".to_owned(),
                partition: 0,
                next_offset: 1234,
                watermark: Some(MIDNIGHT - DurationMs::MINUTE),
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
                first_fired_at: MIDNIGHT,
            }],
            given_up: vec![GivenUp {
                destination: "topic orders.v1.dlq".to_owned(),
                records: 2,
            }],
            finality: ["D1", "W1"]
                .map(|kind| FinalityStatus {
                    table: "metrics.sell_through".to_owned(),
                    window_kind: kind.to_owned(),
                    until: MIDNIGHT,
                })
                .into(),
            ..StatusReport::default()
        };
        let page = page(&report, chrono_tz::Asia::Shanghai);
        for line in [
            "epoch 12, published 1m 5s ago (2026-01-05 00:00:00)",
            "2 windows wait for their next revision",
            "read 3 = accepted 2 + duplicate 1 + dead letters 0 + too late 0",
            "shard  input        next offset  watermark            at end  lag",
            "0      orders.v1/0  1234         2026-01-04 23:59:00  yes     -",
            "lag is not known: no broker answered",
            "metrics.sell_through  D1 W1    2026-01-05 00:00:00",
            "orders        bad_value  7",
            "topic orders.v1.dlq  2",
            "open alerts: 1",
            "S2        A01   A01|C1   2026-01-05 00:00:00",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_cell_is_cut_and_shows_no_control_character() {
        let report = StatusReport {
            open_alerts: vec![OpenAlert {
                subject: format!("A15|K\u{1b}[2J\u{202e}{}", "x".repeat(70_000)),
                rule_id: "A15".to_owned(),
                severity: "S2".to_owned(),
                state: "firing".to_owned(),
                first_fired_at: MIDNIGHT,
            }],
            ..StatusReport::default()
        };
        let page = page(&report, chrono_tz::Asia::Shanghai);
        assert!(page.contains("A15|K\\u{1b}[2J\\u{202e}xxx"), "{page}");
        assert!(page.contains("xxx…") && page.len() < 2_000);
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let spans =
            [-5, 59_999, 60_000, 3_600_000, 90_000_000].map(|ms| span(DurationMs::from_ms(ms)));
        assert_eq!(spans, ["0s", "59s", "1m 0s", "1h 0m", "1d 1h"]);
    }
}
