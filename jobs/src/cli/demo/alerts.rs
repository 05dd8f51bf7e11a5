//! Rows of `ops.alerts` as sentences.

use chrono::DateTime;
use chrono_tz::Tz;
use pipeline::query::Session;

use crate::operator::read::Columns;

/// One transition of an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    rule_id: String,
    severity: String,
    state: String,
    subjects: Vec<String>,
    /// In millionths; a part of 1 (A01) or ms (A15).
    value: Option<i128>,
    limit: Option<i128>,
    /// Start and end, ms UTC.
    window: Option<(i64, i64)>,
    deadline_ms: Option<i64>,
    transitioned_at_ms: i64,
    owner_role: String,
}

const COLUMNS: &str = "rule_id, severity, state, array_to_string(subjects, '|') AS subjects, \
     CAST(value AS DECIMAL(38, 6)) AS value, CAST(\"limit\" AS DECIMAL(38, 6)) AS limit_value, \
     window_start, window_end, deadline, transitioned_at, owner_role";

/// The newest transitions that epochs after `after_epoch` brought, oldest first, at most `at_most`; and how many there are.
pub async fn newest(
    session: &Session,
    after_epoch: i64,
    at_most: usize,
) -> anyhow::Result<(Vec<Alert>, usize)> {
    let all = read(
        session,
        &format!("epoch > {after_epoch} ORDER BY transitioned_at, id"),
    )
    .await?;
    let number = all.len();
    let skipped = number.saturating_sub(at_most);
    Ok((all.into_iter().skip(skipped).collect(), number))
}

/// The first times that a rule fired, the most severe first, at most `at_most`; and how often it fired.
pub async fn fired(
    session: &Session,
    rule_id: &str,
    at_most: usize,
) -> anyhow::Result<(Vec<Alert>, usize)> {
    let mut all = read(
        session,
        &format!(
            "rule_id = '{rule_id}' AND state = 'firing' ORDER BY severity, transitioned_at, id"
        ),
    )
    .await?;
    let number = all.len();
    all.truncate(at_most);
    Ok((all, number))
}

async fn read(session: &Session, rest: &str) -> anyhow::Result<Vec<Alert>> {
    let query = format!("SELECT {COLUMNS} FROM ops.alerts WHERE {rest}");
    let mut alerts = Vec::new();
    for batch in session.query(&query).await?.collect().await? {
        let columns = Columns::of(&batch);
        let text = |name| columns.text(name);
        let (rule_id, severity, state) = (text("rule_id")?, text("severity")?, text("state")?);
        let (subjects, owner_role) = (text("subjects")?, text("owner_role")?);
        let (value, limit) = (columns.decimal("value")?, columns.decimal("limit_value")?);
        let window_start = columns.instant("window_start")?;
        let window_end = columns.instant("window_end")?;
        let deadline = columns.instant("deadline")?;
        let transitioned_at = columns.instant("transitioned_at")?;
        for row in 0..batch.num_rows() {
            let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
            alerts.push(Alert {
                rule_id: word(rule_id.get(row)),
                severity: word(severity.get(row)),
                state: word(state.get(row)),
                subjects: word(subjects.get(row))
                    .split('|')
                    .map(str::to_owned)
                    .collect(),
                value: value.get(row),
                limit: limit.get(row),
                window: window_start.get(row).zip(window_end.get(row)),
                deadline_ms: deadline.get(row),
                transitioned_at_ms: transitioned_at.get(row).unwrap_or_default(),
                owner_role: word(owner_role.get(row)),
            });
        }
    }
    Ok(alerts)
}

impl Alert {
    /// Who, how much, against what, and what made it so; two lines.
    pub fn lines(&self, zone: Tz) -> String {
        let head = format!("  {} {} {:<9}", self.rule_id, self.severity, self.state);
        let subject = |index: usize| self.subjects.get(index).map_or("?", String::as_str);
        let owner = &self.owner_role;
        match (self.window, self.deadline_ms) {
            (_, Some(deadline_ms)) => {
                let elapsed = self.value.map_or(String::new(), |ms| {
                    format!("{} after the start, ", minutes(ms))
                });
                format!(
                    "{head} case {} of customer {}, unit {}\n      {elapsed}limit {}, deadline {}\n      {} for {owner}",
                    subject(1),
                    subject(0),
                    subject(2),
                    self.limit.map_or("?".to_owned(), minutes),
                    local(deadline_ms, zone, "%m-%d %H:%M:%S"),
                    self.why(zone),
                )
            }
            (Some((start_ms, end_ms)), None) => format!(
                "{head} retailer {} in {}\n      margin {}, limit {}, window {} to {}\n      {} for {owner}",
                subject(0),
                subject(1),
                self.value.map_or("unknown".to_owned(), percent),
                self.limit.map_or("none".to_owned(), percent),
                local(start_ms, zone, "%Y-%m-%d"),
                // The last day within, as people say it.
                local(end_ms - 1, zone, "%Y-%m-%d"),
                self.why(zone),
            ),
            (None, None) => format!("{head} {} for {owner}", self.subjects.join(" ")),
        }
    }

    /// What brought this transition about. A deadline's alert fires because nothing came (K22).
    fn why(&self, zone: Tz) -> String {
        let at = local(self.transitioned_at_ms, zone, "%m-%d %H:%M:%S");
        match (self.state.as_str(), self.deadline_ms) {
            ("firing", Some(_)) => format!("fired by timer at {at}: no event stopped it;"),
            ("firing", None) => format!("fired by a new revision of the window ending {at};"),
            (state, _) => format!("{state} at {at};"),
        }
    }
}

fn local(instant_ms: i64, zone: Tz, format: &str) -> String {
    DateTime::from_timestamp_millis(instant_ms)
        .unwrap_or_default()
        .with_timezone(&zone)
        .format(format)
        .to_string()
}

/// Millionths of a ms as minutes.
fn minutes(millionths: i128) -> String {
    let seconds = millionths / 1_000_000_000;
    match seconds % 60 {
        0 => format!("{} min", seconds / 60),
        rest => format!("{} min {rest} s", seconds / 60),
    }
}

/// Millionths of 1 as per cent.
fn percent(millionths: i128) -> String {
    format!("{:.2} %", millionths as f64 / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        Alert {
            rule_id: "A15".to_owned(),
            severity: "S1".to_owned(),
            state: "firing".to_owned(),
            subjects: ["C000112", "K00000173", "U-CS-01"]
                .map(str::to_owned)
                .to_vec(),
            value: Some(660_000_000_000),
            limit: Some(600_000_000_000),
            window: None,
            deadline_ms: Some(1_768_106_249_856),
            transitioned_at_ms: 1_768_106_309_856,
            owner_role: "CALL_AGENT".to_owned(),
        }
    }

    #[test]
    fn a_missed_deadline_says_that_a_timer_fired() {
        assert_eq!(
            alert().lines(chrono_tz::Asia::Shanghai),
            "  A15 S1 firing    case K00000173 of customer C000112, unit U-CS-01\n      \
             11 min after the start, limit 10 min, deadline 01-11 12:37:29\n      \
             fired by timer at 01-11 12:38:29: no event stopped it; for CALL_AGENT"
        );
        let resolved = Alert {
            state: "resolved".to_owned(),
            value: Some(725_000_000_000),
            ..alert()
        };
        let lines = resolved.lines(chrono_tz::Asia::Shanghai);
        assert!(lines.contains("12 min 5 s after the start"), "{lines}");
        assert!(!lines.contains("timer"), "{lines}");
    }

    #[test]
    fn a_margin_says_its_window_by_its_last_day() {
        let margin = Alert {
            rule_id: "A01".to_owned(),
            severity: "S2".to_owned(),
            subjects: vec!["C000491".to_owned(), "T0010".to_owned()],
            value: Some(50_330),
            limit: Some(70_000),
            window: Some((1_765_728_000_000, 1_768_147_200_000)),
            deadline_ms: None,
            transitioned_at_ms: 1_768_147_200_000,
            owner_role: "CLIENT_MANAGER".to_owned(),
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
