//! From running to ended: what the publisher waits for on its way to the end. Pure.
//!
//! ```text
//! Running ─▶ Agreeing ─▶ Draining ─▶ Revising ─▶ Stopping ─▶ Closing ─▶ Delivering ─▶ Settling ─▶ Ended
//!    │        how far     clocks      all rows    shards      last       sinks         their
//!    │        facts are   moved on    in order    seal, end   seals                    attempts
//!    │        believed
//!    └──────────────── a signal, from any stage before Stopping ──────────▲
//! ```
//!
//! K41 says that a drain passes over facts too far ahead. Here this means: a fact is believed up to `max_jump` beyond the highest
//! `occurred_at` of **any** partition of the storage, so that the outcome does not depend on which partition a key falls into. A drain
//! goes to the last instant of K7 over all believed facts. What ends by that instant is closed and final, a fact beyond the limit
//! included; the feed passes over that fact, and shows the closed days up to the last believed one.

use super::settings::Until;
use schemas::time::TimestampMs;

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LifecycleStage {
    Running,
    /// Shards learn that facts up to this instant are believed because of the others.
    Agreeing(TimestampMs),
    /// Event time is moved on to this instant.
    Draining(TimestampMs),
    /// Every touched window that has ended is revised.
    Revising,
    /// Shards have the command to seal what they have and to end.
    Stopping,
    /// What they sealed last is published.
    Closing,
    /// Sinks are given time for what is on its way.
    Delivering,
    /// What became of it is published.
    Settling,
    Ended,
}

/// What a decision looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct LifecycleConditions {
    pub until: Until,
    pub is_signalled: bool,
    /// Nothing is under way, due or left to say.
    pub is_quiet: bool,
    /// Between two epochs.
    pub is_between_epochs: bool,
    pub has_caught_up: bool,
    /// How far facts are believed, where a shard does not know it yet and has to.
    pub to_believe: Option<TimestampMs>,
    /// All shards believe facts up to the instant of [`LifecycleStage::Agreeing`].
    pub have_agreed: bool,
    /// The instant to which event time is to be moved on, as far as that is known now.
    pub drain_to: Option<TimestampMs>,
    /// All clocks have reached the instant of [`LifecycleStage::Draining`].
    pub has_drained: bool,
    pub has_running_shards: bool,
    pub has_deliveries: bool,
    pub is_out_of_patience: bool,
}

impl LifecycleStage {
    /// Whether this stage ends once nothing is under way, due or left to say.
    pub(super) fn waits_for_quiet(self) -> bool {
        matches!(self, Self::Revising | Self::Closing | Self::Settling)
    }

    /// Whether this stage looks at the instant to which event time is to be moved on.
    pub(super) fn asks_how_far_to_drain(self) -> bool {
        matches!(self, Self::Running | Self::Agreeing(_) | Self::Draining(_))
    }

    /// Where to go from here; the same stage as long as something is waited for.
    pub(super) fn next(self, conditions: &LifecycleConditions) -> Self {
        let is_stopping = conditions.is_signalled && conditions.is_between_epochs;
        match self {
            Self::Running | Self::Agreeing(_) | Self::Draining(_) | Self::Revising
                if is_stopping =>
            {
                Self::Stopping
            }
            Self::Running if conditions.has_caught_up && conditions.until != Until::Stopped => {
                match conditions.to_believe {
                    Some(until) => Self::Agreeing(until),
                    None => conditions.drain_to.map_or(Self::Revising, Self::Draining),
                }
            }
            Self::Agreeing(_) if conditions.have_agreed => {
                conditions.drain_to.map_or(Self::Revising, Self::Draining)
            }
            // Draining may bring facts further on, and with them a later last instant.
            Self::Draining(to) if conditions.has_drained => match conditions.drain_to {
                Some(further) if further > to => Self::Draining(further),
                _ => Self::Revising,
            },
            Self::Revising if conditions.is_quiet => Self::Stopping,
            Self::Stopping if !conditions.has_running_shards => Self::Closing,
            Self::Closing if conditions.is_quiet => Self::Delivering,
            Self::Delivering if !conditions.has_deliveries || conditions.is_out_of_patience => {
                Self::Settling
            }
            Self::Settling if conditions.is_quiet => Self::Ended,
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::at;

    const WAITING: LifecycleConditions = LifecycleConditions {
        until: Until::Drained,
        is_signalled: false,
        is_quiet: false,
        is_between_epochs: false,
        has_caught_up: false,
        to_believe: None,
        have_agreed: false,
        drain_to: Some(at(10)),
        has_drained: false,
        has_running_shards: true,
        has_deliveries: true,
        is_out_of_patience: false,
    };

    #[test]
    fn each_stage_waits_for_one_thing() {
        let cases = [
            (
                LifecycleStage::Running,
                LifecycleConditions {
                    has_caught_up: true,
                    ..WAITING
                },
                LifecycleStage::Draining(at(10)),
            ),
            (
                LifecycleStage::Running,
                LifecycleConditions {
                    has_caught_up: true,
                    to_believe: Some(at(7)),
                    ..WAITING
                },
                LifecycleStage::Agreeing(at(7)),
            ),
            (
                LifecycleStage::Agreeing(at(7)),
                LifecycleConditions {
                    have_agreed: true,
                    // a shard has read on
                    to_believe: Some(at(8)),
                    ..WAITING
                },
                LifecycleStage::Draining(at(10)),
            ),
            (
                LifecycleStage::Running,
                LifecycleConditions {
                    has_caught_up: true,
                    until: Until::DrainedTo(at(10)),
                    ..WAITING
                },
                LifecycleStage::Draining(at(10)),
            ),
            (
                LifecycleStage::Running,
                LifecycleConditions {
                    has_caught_up: true,
                    until: Until::CaughtUp,
                    drain_to: None,
                    ..WAITING
                },
                LifecycleStage::Revising,
            ),
            (
                LifecycleStage::Running,
                LifecycleConditions {
                    has_caught_up: true,
                    until: Until::Stopped,
                    ..WAITING
                },
                LifecycleStage::Running,
            ),
            (
                LifecycleStage::Draining(at(5)),
                LifecycleConditions {
                    has_drained: true,
                    ..WAITING
                },
                LifecycleStage::Draining(at(10)),
            ),
            (
                LifecycleStage::Draining(at(10)),
                LifecycleConditions {
                    has_drained: true,
                    ..WAITING
                },
                LifecycleStage::Revising,
            ),
            (
                LifecycleStage::Revising,
                LifecycleConditions {
                    is_quiet: true,
                    ..WAITING
                },
                LifecycleStage::Stopping,
            ),
            (
                LifecycleStage::Stopping,
                LifecycleConditions {
                    has_running_shards: false,
                    ..WAITING
                },
                LifecycleStage::Closing,
            ),
            (
                LifecycleStage::Closing,
                LifecycleConditions {
                    is_quiet: true,
                    ..WAITING
                },
                LifecycleStage::Delivering,
            ),
            (
                LifecycleStage::Delivering,
                LifecycleConditions {
                    has_deliveries: false,
                    ..WAITING
                },
                LifecycleStage::Settling,
            ),
            (
                LifecycleStage::Delivering,
                LifecycleConditions {
                    is_out_of_patience: true,
                    ..WAITING
                },
                LifecycleStage::Settling,
            ),
            (
                LifecycleStage::Settling,
                LifecycleConditions {
                    is_quiet: true,
                    ..WAITING
                },
                LifecycleStage::Ended,
            ),
        ];
        for (stage, conditions, next) in cases {
            assert_eq!(stage.next(&conditions), next, "{stage:?} {conditions:?}");
            if next != stage {
                assert_eq!(stage.next(&WAITING), stage, "{stage:?} waits");
            }
        }
    }

    #[test]
    fn a_signal_ends_every_stage_before_stopping_once_no_epoch_is_under_way() {
        let signalled = LifecycleConditions {
            is_signalled: true,
            ..WAITING
        };
        let between = LifecycleConditions {
            is_between_epochs: true,
            ..signalled
        };
        for stage in [
            LifecycleStage::Running,
            LifecycleStage::Agreeing(at(7)),
            LifecycleStage::Draining(at(10)),
            LifecycleStage::Revising,
        ] {
            assert_eq!(stage.next(&signalled), stage);
            assert_eq!(stage.next(&between), LifecycleStage::Stopping);
        }
        assert_eq!(
            LifecycleStage::Stopping.next(&between),
            LifecycleStage::Stopping
        );
    }
}
