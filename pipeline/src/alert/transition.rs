//! What a rule says ([`AlertChange`]), and what it becomes once it is sealed ([`Transition`]).

use std::sync::Arc;

use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

/// Where an alert stands after a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds.
    Firing,
    /// It still holds, but another severity, value or deadline is at stake.
    Updated,
    /// It held and no longer does.
    Resolved,
    /// It never held, as is known now; or nothing is known any more.
    Withdrawn,
}

impl AlertState {
    /// As in tables and in the type of a CloudEvent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Updated => "updated",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why a transition is one, where its state alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertReason {
    /// Nothing could be judged for so long that an open alert says nothing any more (K33).
    NoData,
    /// It belongs to the past, became known when later data had been judged, and leaves the state as of now as it is: recorded and
    /// not sent (K33).
    Late,
}

impl AlertReason {
    /// As in tables and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Late => "late",
        }
    }
}

/// How soon somebody must act: S1 now, S2 today, S3 this week, S4 for information (domain 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    S1,
    S2,
    S3,
    S4,
}

impl Severity {
    /// As in tables and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
        }
    }
}

/// What an alert measures itself against: a window of a metric or a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertScope {
    Window {
        start: TimestampMs,
        end: TimestampMs,
    },
    Deadline {
        at: TimestampMs,
    },
}

/// What a rule has decided; it becomes a [`Transition`] with its seal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertChange {
    pub rule_id: Arc<str>,
    pub rule_version: u32,
    pub state: AlertState,
    pub reason: Option<AlertReason>,
    pub severity: Severity,
    /// Tells one alert from another; at most one is open for each.
    pub dedupe_key: Arc<str>,
    /// Ids of what it is about, never a name or a number of a person.
    pub subjects: Vec<Arc<str>>,
    /// What was found, in the unit of `limit`; `None` where nothing could be measured.
    pub value: Option<f64>,
    /// What it is held against.
    pub limit: Option<f64>,
    pub about: AlertScope,
    /// Instant of the first transition of this episode (event time).
    pub first_fired_at: TimestampMs,
    /// Instant of this transition in event time: when the condition began or ceased to hold, not when we noticed.
    /// The age limit of deliveries reads it, so that a replay of old events wakes nobody.
    pub transitioned_at: TimestampMs,
    /// Event ids behind it.
    pub evidence: Vec<Arc<str>>,
    pub owner_role: Arc<str>,
    pub escalation_role: Arc<str>,
}

impl AlertChange {
    /// Whether receivers are told; otherwise it is recorded only.
    pub fn is_sent(&self) -> bool {
        self.reason != Some(AlertReason::Late)
    }

    /// What names this step of its alert; a rule of another version may say it in other words.
    pub(crate) fn step(&self) -> (Arc<str>, Arc<str>, AlertState, TimestampMs) {
        let (rule_id, dedupe_key) = (self.rule_id.clone(), self.dedupe_key.clone());
        (rule_id, dedupe_key, self.state, self.transitioned_at)
    }
}

/// One sealed step of an alert: what is delivered, and a row of `ops.alerts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Stable across retries and replays.
    pub id: Arc<str>,
    /// Rises with every transition of a log, and so of a dedupe key: number of the seal × 65,536 + index in it.
    pub sequence: i64,
    /// Log and number of its seal: `3/1207`.
    pub seal: Arc<str>,
    pub change: AlertChange,
}

/// How many transitions one seal can number.
pub const MAX_PER_SEAL: usize = 1 << 16;

/// Numbers `changes` as transitions of the seal `log`/`number`, in their order. More than [`MAX_PER_SEAL`] would run into
/// the numbers of the next seal: the rest stays in `changes` and waits for it.
pub fn seal(log: &str, number: u64, changes: &mut Vec<AlertChange>) -> Vec<Transition> {
    let place: Arc<str> = format!("{log}/{number}").into();
    let first = i64::try_from(number)
        .unwrap_or(i64::MAX)
        .saturating_mul(MAX_PER_SEAL as i64);
    changes
        .drain(..changes.len().min(MAX_PER_SEAL))
        .zip(0_i64..)
        .map(|(change, index)| Transition {
            id: format!("{}-{log}-{number}-{index}", change.rule_id).into(),
            sequence: first.saturating_add(index),
            seal: place.clone(),
            change,
        })
        .collect()
}

/// Event ids that a body lists; all of them stand in `ops.alerts`. A case may have any number of events.
const EVIDENCE_LISTED: usize = 100;

impl Transition {
    /// The CloudEvents 1.0 JSON body (contract 6) in the name of `source`; the same bytes for the same transition.
    pub fn cloud_event(&self, source: &str) -> Result<Vec<u8>, serde_json::Error> {
        self.body(source, EVIDENCE_LISTED)
    }

    /// The body without the list of events, for a receiver that does not take it as it is.
    pub fn shortest_cloud_event(&self, source: &str) -> Result<Vec<u8>, serde_json::Error> {
        self.body(source, 0)
    }

    fn body(&self, source: &str, listed: usize) -> Result<Vec<u8>, serde_json::Error> {
        let change = &self.change;
        let all = change.evidence.len();
        let listed = listed.min(all);
        let (window_start, window_end, deadline) = match change.about {
            AlertScope::Window { start, end } => (Some(start), Some(end), None),
            AlertScope::Deadline { at } => (None, None, Some(at)),
        };
        serde_json::to_vec(&CloudEvent {
            specversion: "1.0",
            id: &self.id,
            source: &format!("vitrine/{source}"),
            event_type: &format!("vitrine.alert.{}.v1", change.state.as_str()),
            subject: &change.dedupe_key,
            time: rfc3339(change.transitioned_at),
            datacontenttype: "application/json",
            data: AlertData {
                sequence: self.sequence,
                rule_id: &change.rule_id,
                rule_version: change.rule_version,
                state: change.state,
                reason: change.reason,
                severity: change.severity,
                subjects: &change.subjects,
                value: change.value,
                limit: change.limit,
                window_start,
                window_end,
                deadline,
                first_fired_at: change.first_fired_at,
                evidence: &change.evidence[..listed],
                evidence_n: (listed < all).then_some(all),
                owner_role: &change.owner_role,
                escalation_role: &change.escalation_role,
                seal: &self.seal,
            },
        })
    }
}

/// CloudEvents asks for RFC 3339; an instant outside the calendar has none.
fn rfc3339(instant: TimestampMs) -> Option<String> {
    instant
        .to_datetime()
        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: AlertData<'a>,
}

/// Instants are integer milliseconds UTC, as in the events that came in.
#[derive(Serialize)]
struct AlertData<'a> {
    sequence: i64,
    rule_id: &'a str,
    rule_version: u32,
    state: AlertState,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<AlertReason>,
    severity: Severity,
    subjects: &'a [Arc<str>],
    value: Option<f64>,
    limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_start: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_end: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<TimestampMs>,
    first_fired_at: TimestampMs,
    evidence: &'a [Arc<str>],
    /// Of all events, where not all are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence_n: Option<usize>,
    owner_role: &'a str,
    escalation_role: &'a str,
    seal: &'a str,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::fixture::at;

    pub(crate) fn change(dedupe_key: &str) -> AlertChange {
        AlertChange {
            rule_id: "A15".into(),
            rule_version: 1,
            state: AlertState::Firing,
            reason: None,
            severity: Severity::S2,
            dedupe_key: dedupe_key.into(),
            subjects: vec!["C1".into(), "case-1".into()],
            value: None,
            limit: Some(600_000.0),
            about: AlertScope::Deadline { at: at(600_000) },
            first_fired_at: at(660_000),
            transitioned_at: at(660_000),
            evidence: vec!["e1".into()],
            owner_role: "CALL_AGENT".into(),
            escalation_role: "SERVICE_DESK_MANAGER".into(),
        }
    }

    /// The transition of [`change`] in seal `0/number`.
    pub(crate) fn transition(number: u64) -> Transition {
        seal("0", number, &mut vec![change("A15|C1|case-1")]).remove(0)
    }

    #[test]
    fn a_seal_numbers_its_transitions_in_order() {
        let sealed = seal("3", 1207, &mut vec![change("a"), change("b")]);
        let found: Vec<_> = sealed
            .iter()
            .map(|t| (&*t.id, t.sequence, &*t.seal))
            .collect();
        assert_eq!(
            found,
            [
                ("A15-3-1207-0", 1207 * 65_536, "3/1207"),
                ("A15-3-1207-1", 1207 * 65_536 + 1, "3/1207")
            ]
        );
    }

    #[test]
    fn what_a_seal_cannot_number_waits_for_the_next() {
        let mut changes = vec![change("a"); MAX_PER_SEAL + 2];
        let first = seal("0", 1, &mut changes);
        let second = seal("0", 2, &mut changes);
        assert_eq!((first.len(), second.len()), (MAX_PER_SEAL, 2));
        assert!(first.last().unwrap().sequence < second[0].sequence);
        assert!(changes.is_empty());
    }

    #[test]
    fn the_body_is_a_cloud_event_of_the_contract() {
        let body = transition(7).cloud_event("east").unwrap();
        let found: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            found,
            json!({
                "specversion": "1.0",
                "id": "A15-0-7-0",
                "source": "vitrine/east",
                "type": "vitrine.alert.firing.v1",
                "subject": "A15|C1|case-1",
                "time": "1970-01-01T00:11:00.000Z",
                "datacontenttype": "application/json",
                "data": {
                    "sequence": 7 * 65_536,
                    "rule_id": "A15",
                    "rule_version": 1,
                    "state": "firing",
                    "severity": "S2",
                    "subjects": ["C1", "case-1"],
                    "value": null,
                    "limit": 600_000.0,
                    "deadline": 600_000,
                    "first_fired_at": 660_000,
                    "evidence": ["e1"],
                    "owner_role": "CALL_AGENT",
                    "escalation_role": "SERVICE_DESK_MANAGER",
                    "seal": "0/7"
                }
            })
        );
    }

    #[test]
    fn a_long_list_of_events_is_cut_and_counted() {
        let mut long = transition(7);
        long.change.evidence = (0..1_000).map(|n| format!("e{n}").into()).collect();
        let evidence = |body: Vec<u8>| {
            let data = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["data"].take();
            let listed = data["evidence"].as_array().unwrap().len();
            (listed, data["evidence_n"].as_u64())
        };
        let body = long.cloud_event("x").unwrap();
        assert_eq!(evidence(body), (EVIDENCE_LISTED, Some(1_000)));
        let body = long.shortest_cloud_event("x").unwrap();
        assert_eq!(evidence(body), (0, Some(1_000)));
        long.change.evidence.truncate(EVIDENCE_LISTED);
        let body = long.cloud_event("x").unwrap();
        assert_eq!(evidence(body), (EVIDENCE_LISTED, None));
    }

    #[test]
    fn k33_a_reason_stands_in_the_body_and_what_is_late_is_not_sent() {
        for (reason, text, is_sent) in [
            (None, None, true),
            (Some(AlertReason::NoData), Some("no_data"), true),
            (Some(AlertReason::Late), Some("late"), false),
        ] {
            let mut given = change("A01|C1");
            given.reason = reason;
            assert_eq!(given.is_sent(), is_sent);
            let body = seal("publisher", 1, &mut vec![given])[0].cloud_event("x");
            let found: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
            assert_eq!(
                found["data"].get("reason"),
                text.map(|text| json!(text)).as_ref()
            );
            assert_eq!(reason.map(AlertReason::as_str), text);
        }
    }

    #[test]
    fn a_window_stands_in_place_of_the_deadline() {
        let mut windowed = change("A01|C1");
        windowed.about = AlertScope::Window {
            start: at(1),
            end: at(2),
        };
        let body = seal("publisher", 1, &mut vec![windowed])[0]
            .cloud_event("x")
            .unwrap();
        let data = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["data"].take();
        assert_eq!(
            (&data["window_start"], &data["window_end"]),
            (&json!(1), &json!(2))
        );
        assert!(data.get("deadline").is_none());
    }
}
