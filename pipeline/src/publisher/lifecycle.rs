//! From running to ended: what the publisher waits for on its way to the end. Pure.
//!
//! ```text
//! Running ─▶ Draining ─▶ Revising ─▶ Stopping ─▶ Closing ─▶ Delivering ─▶ Settling ─▶ Ended
//!    │        clocks      all rows    shards      last       sinks         their
//!    │        moved on    in order    seal, end   seals                    attempts
//!    └──────────────── a signal, from any stage before Stopping ──▲
//! ```

use super::settings::Until;
use schemas::time::TimestampMs;

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// Event time is moved on to this instant (ms UTC).
    Draining(TimestampMs),
    /// Every touched window that has ended is revised.
    Revising,
    /// Shards have been told to seal what they have and to end.
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
pub(super) struct Facts {
    pub until: Until,
    pub is_signalled: bool,
    /// Nothing is under way, due or left to say.
    pub is_quiet: bool,
    /// Between two epochs.
    pub is_between_epochs: bool,
    pub has_caught_up: bool,
    /// The instant to which event time is to be moved on, as far as that is known now.
    pub drain_to: Option<TimestampMs>,
    /// All clocks have come to the instant of [`Stage::Draining`].
    pub has_drained: bool,
    pub has_running_shards: bool,
    pub has_deliveries: bool,
    pub is_out_of_patience: bool,
}

impl Stage {
    /// Whether this stage ends once nothing is under way, due or left to say.
    pub(super) fn waits_for_quiet(self) -> bool {
        matches!(self, Self::Revising | Self::Closing | Self::Settling)
    }

    /// Where to go from here; the same stage as long as something is waited for.
    pub(super) fn next(self, facts: &Facts) -> Self {
        let is_stopping = facts.is_signalled && facts.is_between_epochs;
        match self {
            Self::Running | Self::Draining(_) | Self::Revising if is_stopping => Self::Stopping,
            Self::Running if facts.has_caught_up && facts.until != Until::Stopped => {
                facts.drain_to.map_or(Self::Revising, Self::Draining)
            }
            // Draining may bring facts further on, and with them a later last instant.
            Self::Draining(to) if facts.has_drained => match facts.drain_to {
                Some(further) if further > to => Self::Draining(further),
                _ => Self::Revising,
            },
            Self::Revising if facts.is_quiet => Self::Stopping,
            Self::Stopping if !facts.has_running_shards => Self::Closing,
            Self::Closing if facts.is_quiet => Self::Delivering,
            Self::Delivering if !facts.has_deliveries || facts.is_out_of_patience => Self::Settling,
            Self::Settling if facts.is_quiet => Self::Ended,
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::at;

    const WAITING: Facts = Facts {
        until: Until::Drained,
        is_signalled: false,
        is_quiet: false,
        is_between_epochs: false,
        has_caught_up: false,
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
                Stage::Running,
                Facts {
                    has_caught_up: true,
                    ..WAITING
                },
                Stage::Draining(at(10)),
            ),
            (
                Stage::Running,
                Facts {
                    has_caught_up: true,
                    until: Until::CaughtUp,
                    drain_to: None,
                    ..WAITING
                },
                Stage::Revising,
            ),
            (
                Stage::Running,
                Facts {
                    has_caught_up: true,
                    until: Until::Stopped,
                    ..WAITING
                },
                Stage::Running,
            ),
            (
                Stage::Draining(at(5)),
                Facts {
                    has_drained: true,
                    ..WAITING
                },
                Stage::Draining(at(10)),
            ),
            (
                Stage::Draining(at(10)),
                Facts {
                    has_drained: true,
                    ..WAITING
                },
                Stage::Revising,
            ),
            (
                Stage::Revising,
                Facts {
                    is_quiet: true,
                    ..WAITING
                },
                Stage::Stopping,
            ),
            (
                Stage::Stopping,
                Facts {
                    has_running_shards: false,
                    ..WAITING
                },
                Stage::Closing,
            ),
            (
                Stage::Closing,
                Facts {
                    is_quiet: true,
                    ..WAITING
                },
                Stage::Delivering,
            ),
            (
                Stage::Delivering,
                Facts {
                    has_deliveries: false,
                    ..WAITING
                },
                Stage::Settling,
            ),
            (
                Stage::Delivering,
                Facts {
                    is_out_of_patience: true,
                    ..WAITING
                },
                Stage::Settling,
            ),
            (
                Stage::Settling,
                Facts {
                    is_quiet: true,
                    ..WAITING
                },
                Stage::Ended,
            ),
        ];
        for (stage, facts, next) in cases {
            assert_eq!(stage.next(&facts), next, "{stage:?} {facts:?}");
            if next != stage {
                assert_eq!(stage.next(&WAITING), stage, "{stage:?} waits");
            }
        }
    }

    #[test]
    fn a_signal_ends_every_stage_before_stopping_once_no_epoch_is_under_way() {
        let signalled = Facts {
            is_signalled: true,
            ..WAITING
        };
        let between = Facts {
            is_between_epochs: true,
            ..signalled
        };
        for stage in [Stage::Running, Stage::Draining(at(10)), Stage::Revising] {
            assert_eq!(stage.next(&signalled), stage);
            assert_eq!(stage.next(&between), Stage::Stopping);
        }
        assert_eq!(Stage::Stopping.next(&between), Stage::Stopping);
    }
}
