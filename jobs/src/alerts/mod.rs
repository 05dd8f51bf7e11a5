//! Alert rules of the trade. Thresholds are data (`jobs/alerts/*.toml`), the state machines are here; the engine's part
//! (numbering, outbox, delivery) is `pipeline::alert`.
//!
//! | rule | looks at | fires when |
//! |---|---|---|
//! | A01 ([`MarginRule`]) | revisions of `retailer_margin` H28, at the publisher | a retailer's observed margin is under 9 % |
//! | A15 ([`StepRule`]) | `facts.sla_steps`, in each shard | a department was not told by deadline + grace |

mod margin;
mod sla;

use std::sync::Arc;

use pipeline::alert::AlertRule;
use pipeline::publisher::RuleCard;
use serde::de::DeserializeOwned;

pub use margin::{Below, MarginRule, MarginSettings};
pub use sla::{StepRule, StepSettings};

use crate::operator::sla::Policy;

const A01: &str = include_str!("../../alerts/A01.toml");
const A15: &str = include_str!("../../alerts/A15.toml");

/// Why a rule cannot be used; all are faults of its file.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("alert rule={rule}: its file cannot be read; see the place and the known keys below")]
    Syntax {
        rule: &'static str,
        source: toml::de::Error,
    },
    #[error("alert rule={rule}: {what}")]
    Setting { rule: Arc<str>, what: String },
}

/// The rules that run in every shard, each with a state of its own.
pub fn shard_rules(policy: &Arc<Policy>) -> Result<Vec<Box<dyn AlertRule>>, RuleError> {
    Ok(vec![Box::new(StepRule::new(
        parse("A15", A15)?,
        policy.clone(),
    )?)])
}

/// The rules that run at the publisher.
pub fn publisher_rules() -> Result<Vec<Box<dyn AlertRule>>, RuleError> {
    Ok(vec![Box::new(MarginRule::new(parse("A01", A01)?)?)])
}

/// All rules, as `ops.rules` lists them.
pub fn cards(policy: &Arc<Policy>) -> Result<Vec<RuleCard>, RuleError> {
    Ok(vec![
        MarginRule::new(parse("A01", A01)?)?.card(),
        StepRule::new(parse("A15", A15)?, policy.clone())?.card(),
    ])
}

fn parse<S: DeserializeOwned>(rule: &'static str, text: &str) -> Result<S, RuleError> {
    toml::from_str(text).map_err(|source| RuleError::Syntax { rule, source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use pipeline::alert::Severity;

    use super::*;

    #[test]
    fn the_built_in_rules_load_and_describe_themselves() {
        let policy = Arc::new(Policy::built_in().unwrap());
        let cards = cards(&policy).unwrap();
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
        assert_eq!(shard_rules(&policy).unwrap()[0].rule_id(), "A15");
        assert_eq!(publisher_rules().unwrap()[0].rule_id(), "A01");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = parse::<StepSettings>("A15", &A15.replace("title", "titel")).unwrap_err();
        assert!(error.to_string().contains("rule=A15"));
        assert!(parse::<MarginSettings>("A01", &format!("{A01}\nfor = \"2d\"")).is_err());
    }
}
