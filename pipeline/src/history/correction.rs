//! `corrects` (K23): a named event leaves its history, whichever of the two came first.
//!
//! One event id may be accepted several times: by several partitions of the global topic, and again once it is forgotten (K6). A
//! correction names each of them that is about the same customer (without one: SKU, staff member or unit) and lies within reach;
//! those leave, whichever came first, and the others stay. A correction names nothing of its own id (K36).

use std::collections::HashMap;
use std::sync::Arc;

use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::operator::{EventPlace, RemovedEvent};

/// How far apart the two `occurred_at` may lie, K23 and K24.
const REACH: DurationMs = DurationMs::from_days(35);

/// What one accepted event says of itself; columns of its batch.
#[derive(Clone, Debug)]
pub struct Correction<'a> {
    pub event_id: &'a str,
    pub occurred_at: TimestampMs,
    pub place: EventPlace,
    /// Customer, else SKU, staff member or unit (which of [`schemas::event::SCOPE_FIELDS`], and its value): corrections do not
    /// reach across.
    pub scope: Option<(u8, &'a str)>,
    /// The event that this one replaces.
    pub corrects: Option<&'a str>,
}

/// A correction that names nothing within reach; `weight` −1 takes it back once the named event has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    pub event_id: Arc<str>,
    pub corrects: Arc<str>,
    pub occurred_at: TimestampMs,
    pub weight: i64,
}

/// As [`Correction::scope`].
type Scope = Option<(u8, Arc<str>)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    occurred_at: TimestampMs,
    scope: Scope,
    place: EventPlace,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Naming {
    by: Arc<str>,
    occurred_at: TimestampMs,
    scope: Scope,
}

/// The set of corrections of one topic in one shard.
///
/// Who is named leaves; a chain (C corrects B, B corrects A) takes out A and B, since B still names A.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Corrections {
    accepted: HashMap<Arc<str>, Vec<Seen>>,
    named: HashMap<Arc<str>, Vec<Naming>>,
}

/// What a batch did to the histories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CorrectionOutcome {
    /// Rows of the batch that never enter a history: an earlier or the same batch names them.
    pub skip: Vec<bool>,
    /// Events of earlier batches that leave.
    pub removed: Vec<RemovedEvent>,
    pub orphans: Vec<Orphan>,
}

impl Corrections {
    /// Ingests the accepted events of a batch.
    pub fn apply<'a>(
        &mut self,
        events: impl IntoIterator<Item = Correction<'a>>,
    ) -> CorrectionOutcome {
        let mut outcome = CorrectionOutcome::default();
        let mut in_batch: HashMap<RemovedEvent, usize> = HashMap::new();
        for (row, event) in events.into_iter().enumerate() {
            let id: Arc<str> = event.event_id.into();
            let scope: Scope = event.scope.map(|(field, value)| (field, value.into()));
            let seen = Seen {
                occurred_at: event.occurred_at,
                scope: scope.clone(),
                place: event.place,
            };
            outcome.skip.push(self.is_named(&id, &seen));
            self.adopt_orphans(&id, &seen, &mut outcome.orphans);
            self.accepted.entry(id.clone()).or_default().push(seen);
            let accepted = RemovedEvent {
                event_id: id.clone(),
                place: event.place,
            };
            in_batch.insert(accepted, row);

            let Some(target) = event.corrects else {
                continue;
            };
            let target: Arc<str> = target.into();
            let naming = Naming {
                by: id,
                occurred_at: event.occurred_at,
                scope,
            };
            let mut is_orphan = true;
            for named in self.reached(&naming, &target) {
                is_orphan = false;
                let leaves = RemovedEvent {
                    event_id: target.clone(),
                    place: named.place,
                };
                match in_batch.get(&leaves) {
                    Some(earlier) => outcome.skip[*earlier] = true,
                    None => outcome.removed.push(leaves),
                }
            }
            if is_orphan {
                outcome.orphans.push(naming.orphan(&target, 1));
            }
            self.named.entry(target).or_default().push(naming);
        }
        outcome
    }

    fn is_named(&self, id: &Arc<str>, seen: &Seen) -> bool {
        self.named
            .get(id)
            .is_some_and(|namings| namings.iter().any(|naming| naming.reaches(id, seen)))
    }

    /// The accepted events of id `target` that a correction names.
    fn reached<'c>(
        &'c self,
        naming: &'c Naming,
        target: &'c Arc<str>,
    ) -> impl Iterator<Item = &'c Seen> {
        let all = self.accepted.get(target).into_iter().flatten();
        all.filter(|seen| naming.reaches(target, seen))
    }

    /// Corrections that waited for this event are orphans no more.
    fn adopt_orphans(&self, id: &Arc<str>, seen: &Seen, out: &mut Vec<Orphan>) {
        for naming in self.named.get(id).into_iter().flatten() {
            if naming.reaches(id, seen) && self.reached(naming, id).next().is_none() {
                out.push(naming.orphan(id, -1));
            }
        }
    }
}

impl Naming {
    fn reaches(&self, target: &Arc<str>, seen: &Seen) -> bool {
        // K36: an event that names itself corrects nothing.
        self.by != *target
            && self.scope == seen.scope
            && (self.occurred_at - seen.occurred_at).abs() <= REACH
    }

    fn orphan(&self, target: &Arc<str>, weight: i64) -> Orphan {
        Orphan {
            event_id: self.by.clone(),
            corrects: target.clone(),
            occurred_at: self.occurred_at,
            weight,
        }
    }
}

#[cfg(test)]
mod tests;
