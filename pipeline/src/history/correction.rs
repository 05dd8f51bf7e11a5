//! `corrects` (K23): a named event leaves its history, whichever of the two came first.

use std::sync::Arc;

use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How far apart the two `occurred_at` may lie, K23 and K24.
const REACH: DurationMs = DurationMs::from_days(35);

/// What one accepted event says of itself; columns of its batch.
#[derive(Clone, Debug)]
pub struct Correction<'a> {
    pub event_id: &'a str,
    pub occurred_at: TimestampMs,
    /// Customer, else SKU, staff member or unit: corrections do not reach across.
    pub scope: Option<&'a str>,
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

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    occurred_at: TimestampMs,
    scope: Option<Arc<str>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Naming {
    by: Arc<str>,
    occurred_at: TimestampMs,
    scope: Option<Arc<str>>,
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
    pub removed: Vec<Arc<str>>,
    pub orphans: Vec<Orphan>,
}

impl Corrections {
    /// Ingests the accepted events of a batch.
    pub fn apply<'a>(
        &mut self,
        events: impl IntoIterator<Item = Correction<'a>>,
    ) -> CorrectionOutcome {
        let mut outcome = CorrectionOutcome::default();
        let mut rows_by_id: HashMap<Arc<str>, Vec<(usize, Seen)>> = HashMap::new();
        for (row, event) in events.into_iter().enumerate() {
            let id: Arc<str> = event.event_id.into();
            let scope: Option<Arc<str>> = event.scope.map(Into::into);
            let seen = Seen {
                occurred_at: event.occurred_at,
                scope: scope.clone(),
            };
            outcome.skip.push(self.is_named(&id, &seen));
            self.adopt_orphans(&id, &seen, &mut outcome.orphans);
            self.accepted
                .entry(id.clone())
                .or_default()
                .push(seen.clone());
            rows_by_id.entry(id.clone()).or_default().push((row, seen));

            let Some(target) = event.corrects else {
                continue;
            };
            let target: Arc<str> = target.into();
            let naming = Naming {
                by: id.clone(),
                occurred_at: event.occurred_at,
                scope,
            };
            if self.names_something(&naming, &target) {
                // One event may have been accepted by several partitions of the global topic: each of its copies leaves.
                let in_batch = rows_by_id.get(&target).map_or(&[][..], Vec::as_slice);
                for (earlier, seen) in in_batch {
                    outcome.skip[*earlier] |= naming.reaches(&target, seen);
                }
                if self.names_before(&naming, &target, in_batch.len()) {
                    outcome.removed.push(target.clone());
                }
            } else {
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

    fn names_something(&self, naming: &Naming, target: &Arc<str>) -> bool {
        self.accepted
            .get(target)
            .is_some_and(|all| all.iter().any(|seen| naming.reaches(target, seen)))
    }

    /// Whether it names something that was accepted before the last `in_batch` of that id.
    fn names_before(&self, naming: &Naming, target: &Arc<str>, in_batch: usize) -> bool {
        let all = self.accepted.get(target).map_or(&[][..], Vec::as_slice);
        let before = all.len().saturating_sub(in_batch);
        all[..before]
            .iter()
            .any(|seen| naming.reaches(target, seen))
    }

    /// Corrections that waited for this event are orphans no more.
    fn adopt_orphans(&self, id: &Arc<str>, seen: &Seen, out: &mut Vec<Orphan>) {
        for naming in self.named.get(id).into_iter().flatten() {
            if naming.reaches(id, seen) && !self.names_something(naming, id) {
                out.push(naming.orphan(id, -1));
            }
        }
    }
}

impl Naming {
    fn reaches(&self, target: &Arc<str>, seen: &Seen) -> bool {
        // An event that names itself corrects nothing.
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
mod tests {
    use super::*;
    use crate::time::fixture::ms;

    fn event<'a>(id: &'a str, ms: i64, corrects: Option<&'a str>) -> Correction<'a> {
        Correction {
            event_id: id,
            occurred_at: TimestampMs::from_ms(ms),
            scope: Some("c1"),
            corrects,
        }
    }

    /// What stays in the history and which orphans hold, after the given batches.
    fn end_state(batches: &[Vec<Correction<'_>>]) -> (Vec<String>, Vec<String>) {
        let mut corrections = Corrections::default();
        let mut history: Vec<String> = Vec::new();
        let mut orphans: HashMap<String, i64> = HashMap::new();
        for batch in batches {
            let outcome = corrections.apply(batch.iter().cloned());
            history.retain(|id| !outcome.removed.iter().any(|gone| **gone == **id));
            for (event, skip) in batch.iter().zip(outcome.skip) {
                if !skip {
                    history.push(event.event_id.to_owned());
                }
            }
            for orphan in outcome.orphans {
                *orphans.entry(orphan.event_id.to_string()).or_default() += orphan.weight;
            }
        }
        history.sort();
        let mut held: Vec<String> = orphans
            .into_iter()
            .filter(|(_, weight)| *weight != 0)
            .map(|(id, _)| id)
            .collect();
        held.sort();
        (history, held)
    }

    #[test]
    fn k23_order_of_arrival_and_cuts_into_batches_do_not_matter() {
        let a = event("a", 0, None);
        let b = event("b", 10, Some("a"));
        let c = event("c", 20, Some("b"));
        let far = event("far", REACH.as_ms() + 11, Some("b"));
        let lost = event("lost", 30, Some("nobody"));
        let selfish = event("selfish", 30, Some("selfish"));
        let all = [a, b, c, far, lost, selfish];
        let expected = end_state(&[all.to_vec()]);
        assert_eq!(expected.0, ["c", "far", "lost", "selfish"]);
        assert_eq!(expected.1, ["far", "lost", "selfish"]);

        let mut order: Vec<usize> = (0..all.len()).collect();
        for step in 0..720_usize {
            // The step-th permutation, by the factorial number system.
            order.sort_unstable();
            let mut rest = order.clone();
            let mut code = step;
            let permuted: Vec<_> = (1..=all.len())
                .rev()
                .map(|left| {
                    let index = code % left;
                    code /= left;
                    all[rest.remove(index)].clone()
                })
                .collect();
            assert_eq!(end_state(std::slice::from_ref(&permuted)), expected);
            let single: Vec<_> = permuted.iter().map(|event| vec![event.clone()]).collect();
            assert_eq!(end_state(&single), expected);
        }
    }

    #[test]
    fn k23_a_correction_does_not_reach_another_customer_or_what_has_none() {
        for scope in [Some("c2"), None] {
            let mut other = event("b", 10, Some("a"));
            other.scope = scope;
            let (history, orphans) = end_state(&[vec![event("a", 0, None)], vec![other]]);
            assert_eq!(history, ["a", "b"]);
            assert_eq!(orphans, ["b"]);
        }
    }

    #[test]
    fn k23_k24_a_correction_reaches_35_days_back_and_ahead_and_no_further() {
        for (apart, reaches) in [
            (REACH, true),
            (-REACH, true),
            (REACH + ms(1), false),
            (-REACH - ms(1), false),
        ] {
            let both = || {
                let named = event("a", (2 * REACH).as_ms(), None);
                (named, event("b", (2 * REACH + apart).as_ms(), Some("a")))
            };
            let expected: (&[&str], &[&str]) = if reaches {
                (&["b"], &[])
            } else {
                (&["a", "b"], &["b"])
            };
            let (named, by) = both();
            let found = end_state(&[vec![named], vec![by]]);
            assert_eq!(found, (strings(expected.0), strings(expected.1)), "{apart}");
            let (named, by) = both();
            assert_eq!(end_state(&[vec![by], vec![named]]), found, "{apart}");
        }
        assert_eq!(REACH, ms(35 * 24 * 3_600_000));
    }

    #[test]
    fn k23_a_chain_leaves_its_last_link_whatever_came_first() {
        let chain = || {
            vec![
                event("a", 0, None),
                event("b", 10, Some("a")),
                event("c", 20, Some("b")),
            ]
        };
        let mut backwards = chain();
        backwards.reverse();
        for batches in [vec![chain()], vec![backwards]] {
            assert_eq!(end_state(&batches), (strings(&["c"]), Vec::new()));
        }
        // Two that correct the same event both stay.
        let twice = vec![
            event("a", 0, None),
            event("b", 10, Some("a")),
            event("c", 20, Some("a")),
        ];
        assert_eq!(end_state(&[twice]), (strings(&["b", "c"]), Vec::new()));
    }

    #[test]
    fn k23_every_copy_of_the_named_event_leaves_however_batches_are_cut() {
        // A producer without a key may send one price event to two partitions: each accepts it.
        let copies = || [event("a", 0, None), event("a", 0, None)];
        let by = || event("b", 10, Some("a"));
        let [one, two] = copies();
        let orders = [
            vec![one.clone(), two.clone(), by()],
            vec![one.clone(), by(), two.clone()],
            vec![by(), one, two],
        ];
        for all in orders {
            for cut in 0..=all.len() {
                let (before, after) = all.split_at(cut);
                let found = end_state(&[before.to_vec(), after.to_vec()]);
                assert_eq!(found, (strings(&["b"]), Vec::new()), "cut={cut} {all:?}");
            }
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
