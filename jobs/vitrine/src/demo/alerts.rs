//! Rows of `ops.alerts` as text.

use chrono_tz::Tz;
use pipeline::query::Session;
use schemas::time::TimestampMs;
use serde::Deserialize;

use crate::local_time;
use crate::query;

/// One transition of an alert; instants in µs UTC.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct AlertRow {
    rule_id: String,
    severity: String,
    state: String,
    #[serde(default)]
    subjects: Vec<String>,
    /// A ratio (A01) or ms (A15).
    value: Option<f64>,
    limit: Option<f64>,
    window_start: Option<i64>,
    window_end: Option<i64>,
    deadline: Option<i64>,
    transitioned_at: i64,
    owner_role: Option<String>,
}

const COLUMNS: &str = "rule_id, severity, state, subjects, value, \"limit\", owner_role, \
     CAST(window_start AS BIGINT) AS window_start, CAST(window_end AS BIGINT) AS window_end, \
     CAST(deadline AS BIGINT) AS deadline, CAST(transitioned_at AS BIGINT) AS transitioned_at";

/// The newest transitions of epochs after `after_epoch`, oldest first, at most `at_most`; and how many there are.
pub(super) async fn newest(
    session: &Session,
    after_epoch: i64,
    at_most: usize,
) -> anyhow::Result<(Vec<AlertRow>, usize)> {
    let condition = format!("epoch > {after_epoch} ORDER BY transitioned_at, id");
    let mut all = read(session, &condition).await?;
    let number = all.len();
    Ok((all.split_off(number.saturating_sub(at_most)), number))
}

/// The alerts of a rule that fired, the most severe first, at most `at_most`; and how many there are.
pub(super) async fn fired(
    session: &Session,
    rule_id: &str,
    at_most: usize,
) -> anyhow::Result<(Vec<AlertRow>, usize)> {
    let condition = format!(
        "rule_id = '{rule_id}' AND state = 'firing' ORDER BY severity, transitioned_at, id"
    );
    let mut all = read(session, &condition).await?;
    let number = all.len();
    all.truncate(at_most);
    Ok((all, number))
}

async fn read(session: &Session, condition: &str) -> anyhow::Result<Vec<AlertRow>> {
    query::rows(
        session,
        &format!("SELECT {COLUMNS} FROM ops.alerts WHERE {condition}"),
    )
    .await
}

impl AlertRow {
    /// The subject, the value with its limit, and the cause; three lines.
    pub(super) fn lines(&self, zone: Tz) -> String {
        let head = format!("  {} {} {:<9}", self.rule_id, self.severity, self.state);
        let subject = |index: usize| self.subjects.get(index).map_or("?", String::as_str);
        let owner = self.owner_role.as_deref().unwrap_or("nobody");
        match (self.window_start.zip(self.window_end), self.deadline) {
            (_, Some(deadline)) => {
                let elapsed = self.value.map_or(String::new(), |ms| {
                    format!("{} after the start, ", minutes(ms))
                });
                format!(
                    "{head} case {} of customer {}, unit {}\n      {elapsed}limit {}, deadline {}\n      {} for {owner}",
                    subject(1),
                    subject(0),
                    subject(2),
                    self.limit.map_or("?".to_owned(), minutes),
                    local(deadline, zone, "%m-%d %H:%M:%S"),
                    self.cause(zone),
                )
            }
            (Some((start, end)), None) => format!(
                "{head} retailer {} in {}\n      margin {}, limit {}, window {} to {}\n      {} for {owner}",
                subject(0),
                subject(1),
                self.value.map_or("unknown".to_owned(), percent),
                self.limit.map_or("none".to_owned(), percent),
                local(start, zone, "%Y-%m-%d"),
                // The last day within the window.
                local(end - 1, zone, "%Y-%m-%d"),
                self.cause(zone),
            ),
            (None, None) => format!("{head} {} for {owner}", self.subjects.join(" ")),
        }
    }

    /// The cause of this transition. The alert of a deadline fires because no event came (K22).
    fn cause(&self, zone: Tz) -> String {
        let at = local(self.transitioned_at, zone, "%m-%d %H:%M:%S");
        match (self.state.as_str(), self.deadline) {
            ("firing", Some(_)) => format!("fired by timer {at}, no event came;"),
            ("firing", None) => "fired by a revision of that window;".to_owned(),
            (state, _) => format!("{state} {at};"),
        }
    }
}

fn local(instant_us: i64, zone: Tz, format: &str) -> String {
    local_time::local(TimestampMs::from_micros(instant_us), zone, format)
}

fn minutes(ms: f64) -> String {
    let seconds = (ms / 1_000.0) as i64;
    match seconds % 60 {
        0 => format!("{} min", seconds / 60),
        rest => format!("{} min {rest} s", seconds / 60),
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", 100.0 * ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> AlertRow {
        AlertRow {
            rule_id: "A15".to_owned(),
            severity: "S1".to_owned(),
            state: "firing".to_owned(),
            subjects: ["C000112", "K00000173", "U-CS-01"]
                .map(str::to_owned)
                .to_vec(),
            value: Some(660_000.0),
            limit: Some(600_000.0),
            window_start: None,
            window_end: None,
            deadline: Some(1_768_106_249_856_000),
            transitioned_at: 1_768_106_309_856_000,
            owner_role: Some("CALL_AGENT".to_owned()),
        }
    }

    #[test]
    fn a_missed_deadline_is_shown_as_fired_by_a_timer() {
        assert_eq!(
            alert().lines(chrono_tz::Asia::Shanghai),
            "  A15 S1 firing    case K00000173 of customer C000112, unit U-CS-01\n      \
             11 min after the start, limit 10 min, deadline 01-11 12:37:29\n      \
             fired by timer 01-11 12:38:29, no event came; for CALL_AGENT"
        );
        let resolved = AlertRow {
            state: "resolved".to_owned(),
            value: Some(725_000.0),
            ..alert()
        };
        let lines = resolved.lines(chrono_tz::Asia::Shanghai);
        assert!(lines.contains("12 min 5 s after the start"), "{lines}");
        assert!(!lines.contains("timer"), "{lines}");
    }

    #[test]
    fn a_margin_shows_its_window_with_the_last_day() {
        let margin = AlertRow {
            rule_id: "A01".to_owned(),
            severity: "S2".to_owned(),
            subjects: vec!["C000491".to_owned(), "T0010".to_owned()],
            value: Some(0.050_33),
            limit: Some(0.07),
            window_start: Some(1_765_728_000_000_000),
            window_end: Some(1_768_147_200_000_000),
            deadline: None,
            transitioned_at: 1_768_147_200_000_000,
            owner_role: Some("CLIENT_MANAGER".to_owned()),
            ..alert()
        };
        let lines = margin.lines(chrono_tz::Asia::Shanghai);
        assert!(
            lines.contains("margin 5.03 %, limit 7.00 %, window 2025-12-15 to 2026-01-11"),
            "{lines}"
        );
        assert!(lines.lines().all(|line| line.len() <= 80), "{lines}");
    }
}
