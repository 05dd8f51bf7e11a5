//! Transitions that are durable and not yet acknowledged by all their destinations. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::alert::Transition;

/// A new owner repeats the latest state of keys that changed within this time: the former owner may have sent what it has no
/// answer to, and a receiver must not be left with an older state.
const REPEATED_AFTER_TAKE_OVER: DurationMs = DurationMs::from_minutes(10);

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

    /// Transitions with where they go, in their order; those that are recorded only go nowhere.
    pub(super) fn route(&self, transitions: Vec<Transition>) -> Vec<RoutedTransition> {
        let routed = |transition: Transition| RoutedTransition {
            destinations: self.of(&transition),
            transition: Arc::new(transition),
        };
        let sent = transitions
            .into_iter()
            .filter(|transition| transition.change.is_sent());
        sent.map(routed).collect()
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
pub(super) struct Dispatch {
    pub(super) destination: Arc<str>,
    pub(super) transition: Arc<Transition>,
}

/// See the module's page. Pure state: nothing in here sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outbox {
    /// By sequence: order of sending.
    waiting: BTreeMap<i64, RoutedTransition>,
    /// The latest transition of each dedupe key that changed within [`REPEATED_AFTER_TAKE_OVER`], and when.
    recent: BTreeMap<Arc<str>, (TimestampMs, Arc<Transition>)>,
}

impl Outbox {
    /// Registers transitions; `now` is their record's live time (files: clock). The answer may be sent once the record is
    /// durable.
    pub(super) fn add(&mut self, routed: &[RoutedTransition], now: TimestampMs) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        for each in routed {
            let transition = &each.transition;
            self.recent.insert(
                transition.change.dedupe_key.clone(),
                (now, transition.clone()),
            );
            if each.destinations.is_empty() {
                continue;
            }
            dispatches.extend(dispatch(&each.destinations, transition));
            self.waiting.insert(transition.sequence, each.clone());
        }
        self.age(now);
        dispatches
    }

    /// Forgets which keys changed longer ago than a new owner repeats them.
    pub(super) fn age(&mut self, now: TimestampMs) {
        let is_recent = |changed: TimestampMs| changed + REPEATED_AFTER_TAKE_OVER >= now;
        self.recent.retain(|_, (changed, _)| is_recent(*changed));
    }

    /// Nothing further will be sent of `sequence` to `destination`. Says whether it was open.
    pub(super) fn settle(&mut self, sequence: i64, destination: &str) -> bool {
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

    /// What a new owner sends first, in order: all that is not acknowledged. After an end that nobody prepared also the latest
    /// state of keys that changed within ten minutes.
    pub(super) fn take_over(&self, routes: &Routes, was_closed: bool) -> Vec<Dispatch> {
        let mut sending: BTreeMap<i64, RoutedTransition> = self.waiting.clone();
        let repeated = self.recent.values().filter(|_| !was_closed);
        for (_, transition) in repeated {
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
    use super::*;
    use crate::alert::transition_fixture::{change, transition};
    use crate::alert::{AlertChange, seal};
    use crate::time::fixture::at;

    fn route(destination: &str, rules: &[&str]) -> Route {
        Route {
            destination: destination.into(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        }
    }

    fn routes() -> Routes {
        Routes(vec![route("desk", &["A15"]), route("all", &[])])
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
        let dispatches = outbox.add(&routes().route(transitions), at(0));
        assert_eq!(
            sent(&dispatches),
            [(65_536, "all"), (65_536, "desk"), (65_537, "all")]
        );
        let nowhere = outbox.add(
            &Routes(vec![route("desk", &["A15"])]).route(seal("0", 2, &mut vec![margin()])),
            at(0),
        );
        assert!(nowhere.is_empty());
        assert_eq!(outbox.waiting.len(), 2);
    }

    #[test]
    fn a_transition_stays_until_every_destination_is_settled() {
        let mut outbox = Outbox::default();
        outbox.add(&routes().route(vec![transition(1)]), at(0));
        assert!(outbox.settle(65_536, "desk"));
        assert!(!outbox.settle(65_536, "desk"));
        assert!(!outbox.settle(99, "all"));
        assert_eq!(outbox.waiting.len(), 1);
        outbox.settle(65_536, "all");
        assert!(outbox.waiting.is_empty());
    }

    #[test]
    fn a_new_owner_sends_what_is_open_and_the_latest_state_of_recent_keys_in_order() {
        let minute = 60_000;
        let mut outbox = Outbox::default();
        outbox.add(&routes().route(vec![transition(1)]), at(0)); // open, its key's latest state follows
        outbox.add(&routes().route(vec![transition(2)]), at(minute)); // settled, but recent
        for destination in ["desk", "all"] {
            outbox.settle(2 * 65_536, destination);
        }
        outbox.settle(65_536, "all");
        let restored: Outbox =
            postcard::from_bytes(&postcard::to_stdvec(&outbox).unwrap()).unwrap();
        assert_eq!(restored, outbox);
        assert_eq!(
            sent(&restored.take_over(&routes(), false)),
            [(65_536, "desk"), (2 * 65_536, "all"), (2 * 65_536, "desk")]
        );
        // 11 minutes on, another key changes: the first is no longer recent
        outbox.add(
            &routes().route(seal("0", 3, &mut vec![change("other")])),
            at(12 * minute),
        );
        assert_eq!(
            sent(&outbox.take_over(&routes(), false)),
            [(65_536, "desk"), (3 * 65_536, "all"), (3 * 65_536, "desk")]
        );
    }

    #[test]
    fn a_destination_taken_from_the_configuration_is_forgotten() {
        let mut outbox = Outbox::default();
        outbox.add(&routes().route(vec![transition(1)]), at(0));
        let left = Routes(vec![route("all", &[])]);
        let strangers = outbox.strangers(&left);
        assert_eq!(strangers, [(65_536, "desk".into())]);
        for (sequence, destination) in strangers {
            outbox.settle(sequence, &destination);
        }
        assert_eq!(sent(&outbox.take_over(&left, false)), [(65_536, "all")]);
        outbox.settle(65_536, "all");
        assert!(outbox.waiting.is_empty());
    }
}
