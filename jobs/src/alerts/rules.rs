//! The rules that come with Vitrine, and where each of them runs.

use std::sync::Arc;

use pipeline::alert::AlertRule;
use pipeline::error::ErrorKind;
use pipeline::publisher::RuleCard;
use serde::de::DeserializeOwned;

use super::margin::MarginRule;
use super::sla::StepRule;
use crate::error::{Error, Result};
use crate::operator::sla::Policy;

pub(super) const A01: &str = include_str!("../../alerts/A01.toml");
pub(super) const A15: &str = include_str!("../../alerts/A15.toml");

/// All rules, read and checked, without open alerts.
pub struct AlertRules {
    margin: MarginRule,
    department: StepRule,
}

impl AlertRules {
    /// Reads the rules that come with Vitrine.
    ///
    /// # Errors
    /// A rule's file that cannot be read, or a setting that does not make sense.
    pub fn built_in(policy: &Arc<Policy>) -> Result<Self> {
        Ok(Self {
            margin: MarginRule::new(parse("A01", A01)?)?,
            department: StepRule::new(parse("A15", A15)?, policy.clone())?,
        })
    }

    /// Rules over facts, for one shard.
    pub fn for_shard(&self) -> Vec<Box<dyn AlertRule>> {
        vec![Box::new(self.department.clone())]
    }

    /// Rules over metric rows, for the publisher.
    pub fn for_publisher(&self) -> Vec<Box<dyn AlertRule>> {
        vec![Box::new(self.margin.clone())]
    }

    /// All rules as `ops.rules` lists them.
    pub fn cards(&self) -> Vec<RuleCard> {
        vec![self.margin.card(), self.department.card()]
    }
}

/// Reads the settings of a rule.
pub(super) fn parse<S: DeserializeOwned>(rule: &str, file: &str) -> Result<S> {
    toml::from_str(file).map_err(Error::from_source(
        ErrorKind::Configuration,
        format!(
            "alert rule={rule}: its file cannot be read; see the place and the known keys below"
        ),
    ))
}

/// A setting that can be read and does not make sense.
pub(super) fn wrong_setting(rule: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("alert rule={rule}: {what}"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use pipeline::alert::Severity;

    use super::super::margin::MarginSettings;
    use super::super::sla::StepSettings;
    use super::*;

    #[test]
    fn the_built_in_rules_load_and_describe_themselves() {
        let policy = Arc::new(Policy::built_in().unwrap());
        let rules = AlertRules::built_in(&policy).unwrap();
        let cards = rules.cards();
        let found: Vec<_> = cards
            .iter()
            .map(|card| (&*card.rule_id, card.severity, &*card.owner_role))
            .collect();
        assert_eq!(
            found,
            [
                ("A01", Severity::S2, "CLIENT_MANAGER"),
                ("A15", Severity::S1, "CALL_AGENT")
            ]
        );
        assert!(cards[0].condition.contains("9 %"), "{}", cards[0].condition);
        assert!(cards[1].condition.contains("CMP_DEPT_10M"));
        assert_eq!(rules.for_publisher()[0].rule_id(), "A01");
    }

    #[test]
    fn every_shard_gets_the_same_rules() {
        let policy = Arc::new(Policy::built_in().unwrap());
        let rules = AlertRules::built_in(&policy).unwrap();
        for _ in 0..3 {
            let of_shard = rules.for_shard();
            let ids: Vec<&str> = of_shard.iter().map(|rule| rule.rule_id()).collect();
            assert_eq!(ids, ["A15"]);
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = parse::<StepSettings>("A15", &A15.replace("title", "titel")).unwrap_err();
        assert!(error.to_string().contains("rule=A15"));
        assert!(parse::<MarginSettings>("A01", &format!("{A01}\nfor = \"2d\"")).is_err());
    }
}
