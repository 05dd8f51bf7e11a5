//! Transitions that are durable and not yet acknowledged by all their destinations. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::schedule::DeliveryAttempt;
use crate::alert::Transition;

/// A new owner repeats the latest state of keys that changed within this time: the former owner may have sent what it never
/// heard back about, and a receiver must not be left with an older state.
const REPEATED_AFTER_TAKE_OVER_MS: i64 = 10 * 60 * 1_000;

/// A destination and which rules go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: Arc<str>,
    /// Rule ids; empty: all of them.
    pub rules: BTreeSet<String>,
}

impl Route {
    fn takes(&self, transition: &Transition) -> bool {
        self.rules.is_empty() || self.rules.contains(&*transition.change.rule_id)
    }
}

/// All destinations of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(pub Vec<Route>);

impl Routes {
    fn of(&self, transition: &Transition) -> BTreeSet<Arc<str>> {
        self.0
            .iter()
            .filter(|route| route.takes(transition))
            .map(|route| route.destination.clone())
            .collect()
    }

    /// Transitions with where they go, in their order.
    pub(super) fn route(&self, transitions: Vec<Transition>) -> Vec<RoutedTransition> {
        let routed = |transition: Transition| RoutedTransition {
            destinations: self.of(&transition),
            transition: Arc::new(transition),
        };
        transitions.into_iter().map(routed).collect()
    }
}

/// A transition and the destinations that have not settled it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RoutedTransition {
    pub(super) transition: Arc<Transition>,
    pub(super) destinations: BTreeSet<Arc<str>>,
}

/// One transition on its way to one destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    pub destination: Arc<str>,
    pub transition: Arc<Transition>,
}

/// See the module's page. Pure state: nothing in here sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// By sequence: order of sending.
    waiting: BTreeMap<i64, RoutedTransition>,
    /// The latest transition of each dedupe key that changed within [`REPEATED_AFTER_TAKE_OVER_MS`], and when.
    recent: BTreeMap<Arc<str>, (i64, Arc<Transition>)>,
}

impl Outbox {
    /// Registers the transitions of a seal; `now_ms` is the seal's live time (files: clock). The answer may be sent once the
    /// seal is durable.
    pub fn add(
        &mut self,
        transitions: Vec<Transition>,
        routes: &Routes,
        now_ms: i64,
    ) -> Vec<Dispatch> {
        self.add_routed(&routes.route(transitions), now_ms)
    }

    /// The same with destinations that are known already.
    pub(super) fn add_routed(&mut self, routed: &[RoutedTransition], now_ms: i64) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        for each in routed {
            let transition = &each.transition;
            self.recent.insert(
                transition.change.dedupe_key.clone(),
                (now_ms, transition.clone()),
            );
            if each.destinations.is_empty() {
                continue;
            }
            dispatches.extend(dispatch(&each.destinations, transition));
            self.waiting.insert(transition.sequence, each.clone());
        }
        let is_recent =
            |changed_ms: i64| changed_ms.saturating_add(REPEATED_AFTER_TAKE_OVER_MS) >= now_ms;
        self.recent
            .retain(|_, (changed_ms, _)| is_recent(*changed_ms));
        dispatches
    }

    /// Registers a report; one that settles nothing, or something unknown, changes nothing.
    pub fn settle(&mut self, report: &DeliveryAttempt) {
        if report.outcome.is_settled() {
            self.settle_one(report.sequence, &report.destination);
        }
    }

    /// Nothing further will be sent of `sequence` to `destination`. Says whether it was open.
    pub(super) fn settle_one(&mut self, sequence: i64, destination: &str) -> bool {
        let Some(waiting) = self.waiting.get_mut(&sequence) else {
            return false;
        };
        let was_open = waiting.destinations.remove(destination);
        if waiting.destinations.is_empty() {
            self.waiting.remove(&sequence);
        }
        was_open
    }

    /// What waits for destinations that the configuration no longer has.
    pub(super) fn strangers(&self, routes: &Routes) -> Vec<(i64, Arc<str>)> {
        let known: BTreeSet<_> = routes.0.iter().map(|route| &route.destination).collect();
        let mut strangers = Vec::new();
        for (sequence, waiting) in &self.waiting {
            let unknown = waiting.destinations.iter();
            let unknown = unknown.filter(|destination| !known.contains(destination));
            strangers.extend(unknown.map(|destination| (*sequence, destination.clone())));
        }
        strangers
    }

    /// What a new owner sends first, in order: all that is not acknowledged, and the latest state of keys that changed within
    /// ten minutes. Destinations that the configuration no longer has are forgotten.
    pub fn take_over(&mut self, routes: &Routes) -> Vec<Dispatch> {
        for (sequence, destination) in self.strangers(routes) {
            self.settle_one(sequence, &destination);
        }
        let mut sending: BTreeMap<i64, RoutedTransition> = self.waiting.clone();
        for (_, transition) in self.recent.values() {
            let destinations = routes.of(transition);
            sending
                .entry(transition.sequence)
                .or_insert_with(|| RoutedTransition {
                    transition: transition.clone(),
                    destinations: BTreeSet::new(),
                })
                .destinations
                .extend(destinations);
        }
        sending
            .values()
            .flat_map(|waiting| dispatch(&waiting.destinations, &waiting.transition))
            .collect()
    }

    /// Transitions that some destination has not acknowledged.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn dispatch<'a>(
    destinations: &'a BTreeSet<Arc<str>>,
    transition: &'a Arc<Transition>,
) -> impl Iterator<Item = Dispatch> + 'a {
    destinations.iter().map(|destination| Dispatch {
        destination: destination.clone(),
        transition: transition.clone(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::schedule::DeliveryOutcome;
    use super::*;
    use crate::alert::transition_fixture::{change, transition};
    use crate::alert::{AlertChange, seal};

    fn route(destination: &str, rules: &[&str]) -> Route {
        Route {
            destination: destination.into(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        }
    }

    fn routes() -> Routes {
        Routes(vec![route("desk", &["A15"]), route("all", &[])])
    }

    fn report(sequence: i64, destination: &str, outcome: DeliveryOutcome) -> DeliveryAttempt {
        DeliveryAttempt {
            id: "x".into(),
            sequence,
            dedupe_key: "x".into(),
            destination: destination.into(),
            attempt: 1,
            attempted_at_ms: 0,
            outcome,
            status: None,
            error: None,
        }
    }

    fn sent(dispatches: &[Dispatch]) -> Vec<(i64, &str)> {
        dispatches
            .iter()
            .map(|d| (d.transition.sequence, &*d.destination))
            .collect()
    }

    fn margin() -> AlertChange {
        AlertChange {
            rule_id: "A01".into(),
            ..change("A01|C1")
        }
    }

    #[test]
    fn a_route_takes_its_rules_and_an_empty_one_takes_all() {
        let mut outbox = Outbox::default();
        let transitions = seal("0", 1, &mut vec![change("a"), margin()]);
        let dispatches = outbox.add(transitions, &routes(), 0);
        assert_eq!(
            sent(&dispatches),
            [(65_536, "all"), (65_536, "desk"), (65_537, "all")]
        );
        let nowhere = outbox.add(
            seal("0", 2, &mut vec![margin()]),
            &Routes(vec![route("desk", &["A15"])]),
            0,
        );
        assert!(nowhere.is_empty());
        assert_eq!(outbox.len(), 2);
    }

    #[test]
    fn a_transition_stays_until_every_destination_is_settled() {
        let mut outbox = Outbox::default();
        outbox.add(vec![transition(1)], &routes(), 0);
        outbox.settle(&report(65_536, "desk", DeliveryOutcome::Retry));
        outbox.settle(&report(65_536, "desk", DeliveryOutcome::Delivered));
        outbox.settle(&report(65_536, "desk", DeliveryOutcome::Delivered));
        outbox.settle(&report(99, "all", DeliveryOutcome::Delivered));
        assert_eq!(outbox.len(), 1);
        outbox.settle(&report(65_536, "all", DeliveryOutcome::Expired));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_new_owner_sends_what_is_open_and_the_latest_state_of_recent_keys_in_order() {
        let minute = 60_000;
        let mut outbox = Outbox::default();
        outbox.add(vec![transition(1)], &routes(), 0); // open, its key's latest state follows
        outbox.add(vec![transition(2)], &routes(), minute); // settled, but recent
        for destination in ["desk", "all"] {
            outbox.settle(&report(2 * 65_536, destination, DeliveryOutcome::Delivered));
        }
        outbox.settle(&report(65_536, "all", DeliveryOutcome::Delivered));
        let mut restored: Outbox =
            postcard::from_bytes(&postcard::to_stdvec(&outbox).unwrap()).unwrap();
        assert_eq!(restored, outbox);
        assert_eq!(
            sent(&restored.take_over(&routes())),
            [(65_536, "desk"), (2 * 65_536, "all"), (2 * 65_536, "desk")]
        );
        // 11 minutes on, another key changes: the first is no longer recent
        outbox.add(
            seal("0", 3, &mut vec![change("other")]),
            &routes(),
            12 * minute,
        );
        assert_eq!(
            sent(&outbox.take_over(&routes())),
            [(65_536, "desk"), (3 * 65_536, "all"), (3 * 65_536, "desk")]
        );
    }

    #[test]
    fn a_destination_taken_from_the_configuration_is_forgotten() {
        let mut outbox = Outbox::default();
        outbox.add(vec![transition(1)], &routes(), 0);
        let left = Routes(vec![route("all", &[])]);
        assert_eq!(sent(&outbox.take_over(&left)), [(65_536, "all")]);
        outbox.settle(&report(65_536, "all", DeliveryOutcome::Delivered));
        assert!(outbox.is_empty());
    }
}
