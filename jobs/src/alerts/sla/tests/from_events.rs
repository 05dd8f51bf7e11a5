//! From the events of a case to its alert.

use pipeline::history::{KeyedHistory, KeyedOperator};
use pipeline::time::Zone;
use schemas::event::Topic;
use serde_json::json;

use super::*;
use crate::operator::fixture;
use crate::operator::sla::Sla;
use crate::reference::{ReferenceData, RetailReference};

/// M19 timer of domain 9, from events to the alert: the call ends at 10:00, nothing follows.
#[test]
fn golden_timer_from_events() {
    let at = |time: &str| fixture::instant(&format!("2026-03-03T{time}+08:00"));
    let reference = RetailReference::new(Arc::new(ReferenceData::empty()));
    let policy = Arc::new(Policy::built_in().unwrap());
    let mut cases = KeyedHistory::new(Sla::new(policy), Zone(chrono_tz::Asia::Shanghai));
    let mut rule = rule();
    let received = json!({"case_id": "K1", "case_kind": "COMPLAINT", "channel": "PHONE", "received_at": at("09:55:00")});
    let ended = json!({"case_id": "K1", "call_ended_at": at("10:00:00")});
    let events = [
        ("case.opened", "2026-03-03T09:55:00+08:00", received),
        ("case.call_ended", "2026-03-03T10:00:00+08:00", ended),
    ];
    let mut ingest =
        |rule: &mut StepRule, events: &[(&str, &str, serde_json::Value)], time: &str| {
            let now = RuleTime {
                clock: at(time),
                live_time: None,
            };
            let batch = fixture::batch(Topic::Complaints, events);
            let skip = vec![false; batch.num_rows()];
            cases.insert(Topic::Complaints, &batch, &skip, &[]).unwrap();
            match cases.run(now.clock, &reference).unwrap() {
                Some(changelog) => rule.observe(&changelog.facts, now).unwrap(),
                None => rule.tick(now),
            }
        };
    assert!(ingest(&mut rule, &events, "10:00:00").is_empty());
    assert_eq!(rule.next_timer(), Some(at("10:11:00")));
    assert!(ingest(&mut rule, &[], "10:10:59").is_empty());
    let fired = ingest(&mut rule, &[], "10:11:00");
    assert_eq!(states(&fired), [AlertState::Firing]);
    assert_eq!(fired[0].about, AlertScope::Deadline { at: at("10:10:00") });

    let notified = [(
        "case.dept_notified",
        "2026-03-03T10:40:00+08:00",
        json!({"case_id": "K1", "event_id": "late"}),
    )];
    let resolved = ingest(&mut rule, &notified, "10:41:00");
    assert_eq!(states(&resolved), [AlertState::Resolved]);
    // Another notification was sent in time, as becomes known now.
    let in_time = [(
        "case.dept_notified",
        "2026-03-03T10:08:00+08:00",
        json!({"case_id": "K1", "event_id": "early"}),
    )];
    assert!(
        ingest(&mut rule, &in_time, "10:50:00").is_empty(),
        "a resolved alert stays resolved"
    );
}
