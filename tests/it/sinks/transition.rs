//! A transition of an alert, as its receivers read it (contract 6) and as `ops.alerts` has it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use tests::project::Project;

/// What both say; instants are ms UTC.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Transition {
    pub id: String,
    pub subject: String,
    /// `time` of the CloudEvent.
    pub transitioned_at: i64,
    #[serde(flatten)]
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Data {
    pub sequence: i64,
    pub rule_id: String,
    pub rule_version: i64,
    pub state: String,
    #[serde(default)]
    pub reason: Option<String>,
    pub severity: String,
    pub subjects: Vec<String>,
    pub value: Option<f64>,
    pub limit: Option<f64>,
    pub window_start: Option<i64>,
    pub window_end: Option<i64>,
    pub deadline: Option<i64>,
    pub first_fired_at: i64,
    pub evidence: Vec<String>,
    pub owner_role: String,
    pub escalation_role: String,
    pub seal: String,
}

#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: DateTime<Utc>,
    datacontenttype: String,
    data: Data,
}

impl Transition {
    /// Reads a CloudEvent 1.0 in JSON and holds it against the contract.
    pub(super) fn of_body(body: &[u8]) -> Self {
        let event: CloudEvent = serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)));
        assert_eq!(event.specversion, "1.0");
        assert_eq!(event.datacontenttype, "application/json");
        assert!(
            event
                .source
                .strip_prefix("vitrine/")
                .is_some_and(|name| !name.is_empty()),
            "{}",
            event.source
        );
        let data = event.data;
        assert_eq!(event.event_type, format!("vitrine.alert.{}.v1", data.state));
        // a window or a deadline, never half of one or both
        let about = [data.window_start, data.window_end, data.deadline].map(|at| at.is_some());
        assert!(
            [[true, true, false], [false, false, true]].contains(&about),
            "{}: {about:?}",
            event.id
        );
        // the seal and the place in it are what the sequence is made of
        let (_, number) = data.seal.split_once('/').unwrap();
        let number: i64 = number.parse().unwrap();
        assert_eq!(number, data.sequence / 65_536, "{}", event.id);
        Self {
            id: event.id,
            subject: event.subject,
            transitioned_at: event.time.timestamp_millis(),
            data,
        }
    }

    /// Whether it ends an alert.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.data.state.as_str(), "resolved" | "withdrawn")
    }
}

/// `ops.alerts`, by id, without what is recorded only (K33).
pub(super) fn table(project: &Project) -> BTreeMap<String, Transition> {
    let instants = [
        "window_start",
        "window_end",
        "deadline",
        "first_fired_at",
        "transitioned_at",
    ]
    .map(|column| format!("CAST({column} AS BIGINT) / 1000 AS {column}"))
    .join(", ");
    let query = format!(
        "SELECT id, subject, sequence, rule_id, rule_version, state, reason, severity, subjects, value, \"limit\", \
         evidence, owner_role, escalation_role, seal, {instants} FROM ops.alerts WHERE reason IS DISTINCT FROM 'late'"
    );
    let rows = project.query(&query).unwrap();
    let count = rows.len();
    let table: BTreeMap<_, _> = rows
        .into_iter()
        .map(|row: Value| {
            let transition: Transition = serde_json::from_value(row.clone())
                .unwrap_or_else(|error| panic!("{error}: {row}"));
            (transition.id.clone(), transition)
        })
        .collect();
    assert_eq!(table.len(), count, "an id stands twice in ops.alerts");
    table
}

/// Each alert fires, may be updated, ends, and only then fires again; its sequence rises. One that has ended may be withdrawn: it never
/// held, as is known then (K33).
pub(super) fn assert_episodes<'a>(transitions: impl IntoIterator<Item = &'a Transition>) {
    let mut alerts: BTreeMap<&str, Vec<&Transition>> = BTreeMap::new();
    for transition in transitions {
        alerts
            .entry(&transition.subject)
            .or_default()
            .push(transition);
    }
    for (subject, transitions) in alerts {
        let (mut fired_at, mut ended) = (None, BTreeSet::new());
        let mut last = 0;
        for Transition { id, data, .. } in transitions {
            assert!(
                data.sequence > last,
                "{subject}: {id} after sequence={last}"
            );
            last = data.sequence;
            match (data.state.as_str(), fired_at) {
                ("firing", None) => fired_at = Some(data.first_fired_at),
                ("updated" | "resolved" | "withdrawn", Some(at)) => {
                    assert_eq!(
                        data.first_fired_at, at,
                        "{subject}: {id} is of another episode"
                    );
                    if data.state != "updated" {
                        ended.insert(at);
                        fired_at = None;
                    }
                }
                ("withdrawn", None) if ended.contains(&data.first_fired_at) => {}
                (state, _) => panic!("{subject}: {id} is {state}, open since {fired_at:?}"),
            }
        }
    }
}
