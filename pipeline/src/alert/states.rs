//! What rules keep from one run to the next, by rule id.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::rule::AlertRule;
use crate::error::Result;
use crate::observe::RuleStateDropped;

/// Stored states of rules, as [`AlertRule::save`] gave them. A rule finds its own by its id, whichever rules came, went or
/// changed places in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStates(BTreeMap<String, Bytes>);

impl RuleStates {
    /// The states of `rules`.
    pub fn save(rules: &[Box<dyn AlertRule>]) -> Result<Self> {
        let states = rules
            .iter()
            .map(|rule| Ok((rule.rule_id().to_owned(), rule.save()?.into())));
        Ok(Self(states.collect::<Result<_>>()?))
    }

    /// Whether it holds the state of this rule.
    pub fn knows(&self, rule_id: &str) -> bool {
        self.0.contains_key(rule_id)
    }

    /// Loads each rule's own state; a rule without one stays as it is. A state whose rule is gone is dropped and reported.
    pub fn load(&self, rules: &mut [Box<dyn AlertRule>]) -> Result<()> {
        for (rule_id, state) in &self.0 {
            match rules.iter_mut().find(|rule| rule.rule_id() == rule_id) {
                Some(rule) => rule.load(state)?,
                None => RuleStateDropped { rule_id }.report(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::record_batch::RecordBatch;
    use schemas::time::TimestampMs;

    use super::super::{AlertChange, RuleInput, RuleTime};
    use super::*;

    /// A rule whose state is a text.
    struct Note {
        rule_id: &'static str,
        state: String,
    }

    impl AlertRule for Note {
        fn rule_id(&self) -> &str {
            self.rule_id
        }

        fn version(&self) -> u32 {
            1
        }

        fn input(&self) -> RuleInput {
            RuleInput::Facts { operator: "none" }
        }

        fn observe(&mut self, _: &RecordBatch, _: RuleTime) -> Result<Vec<AlertChange>> {
            Ok(Vec::new())
        }

        fn tick(&mut self, _: RuleTime) -> Vec<AlertChange> {
            Vec::new()
        }

        fn next_timer(&self) -> Option<TimestampMs> {
            None
        }

        fn save(&self) -> Result<Vec<u8>> {
            Ok(self.state.clone().into_bytes())
        }

        fn load(&mut self, bytes: &[u8]) -> Result<()> {
            self.state = String::from_utf8(bytes.to_vec()).unwrap();
            Ok(())
        }
    }

    fn rules(of: &[(&'static str, &str)]) -> Vec<Box<dyn AlertRule>> {
        of.iter()
            .map(|(rule_id, state)| {
                Box::new(Note {
                    rule_id,
                    state: (*state).to_owned(),
                }) as Box<dyn AlertRule>
            })
            .collect()
    }

    fn states(rules: &[Box<dyn AlertRule>]) -> Vec<String> {
        let saved = rules.iter().map(|rule| rule.save().unwrap());
        saved
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[test]
    fn a_rule_loads_its_own_state_whichever_rules_came_went_or_changed_places() {
        let saved = RuleStates::save(&rules(&[("A01", "one"), ("A15", "two")])).unwrap();
        let stored = postcard::to_stdvec(&saved).unwrap();
        let stored: RuleStates = postcard::from_bytes(&stored).unwrap();
        for (later, expected) in [
            (&["A15", "A01"][..], &["two", "one"][..]),
            (&["A23", "A01", "A15"], &["", "one", "two"]),
            (&["A15"], &["two"]),
            (&["A16"], &[""]),
        ] {
            let empty: Vec<(&'static str, &str)> = later.iter().map(|&id| (id, "")).collect();
            let mut after = rules(&empty);
            stored.load(&mut after).unwrap();
            assert_eq!(states(&after), expected, "{later:?}");
        }
        assert!(stored.knows("A15") && !stored.knows("A16"));
    }
}
