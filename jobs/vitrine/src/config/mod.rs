//! `vitrine.toml`: defaults, then one file, then the environment (`VITRINE__SECTION__KEY`).
//!
//! ```text
//!  sections: defaults ─ load: file ─ environment ─▶ Config, or the first error       (every command)
//!                       problems ─────────────────▶ Config and every problem         (`vitrine check`)
//! ```
//!
//! `deploy/vitrine.example.toml` documents every key; a test compares it with the defaults. Unknown keys are refused with the nearest
//! known one. A key whose feature does not exist yet is refused unless it has its default value.

mod environment;
mod impossible;
mod load;
mod message;
mod problems;
mod sections;
#[cfg(test)]
mod tests;
mod units;

use pipeline::decode::TopicSettings;
use pipeline::time::TopicTime;
use schemas::event::Topic;
use schemas::time::DurationMs;
use serde::Deserialize;

pub(crate) use load::load;
pub(crate) use message::shown_url;
pub(crate) use problems::problems;
pub(crate) use sections::SourceKind;
use sections::{
    AlertsConfig, EpochConfig, FeedsConfig, HttpConfig, LimitsConfig, ReferenceConfig,
    SourceConfig, SqlConfig, StorageConfig, TimeConfig, TopicsConfig,
};

/// A configuration, one field per section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) source: SourceConfig,
    pub(crate) topics: TopicsConfig,
    pub(crate) time: TimeConfig,
    pub(crate) epoch: EpochConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) reference: ReferenceConfig,
    sql: SqlConfig,
    pub(crate) alerts: AlertsConfig,
    pub(crate) feeds: FeedsConfig,
    http: HttpConfig,
    pub(crate) limits: LimitsConfig,
}

impl Config {
    /// The settings of every input topic.
    pub(crate) fn topic_settings(&self) -> Vec<TopicSettings> {
        Topic::ALL
            .into_iter()
            .map(|topic| {
                let time = match topic {
                    Topic::Orders => self.time.orders,
                    Topic::Visits => self.time.visits,
                    Topic::Complaints => self.time.complaints,
                    Topic::Prices => self.time.prices,
                };
                TopicSettings {
                    topic,
                    name: self.topics.name(topic).to_owned(),
                    time: TopicTime {
                        out_of_orderness: DurationMs::from_std(time.out_of_orderness),
                        allowed_lateness: DurationMs::from_std(time.allowed_lateness),
                        idle_after: DurationMs::from_std(time.idle_after),
                        max_jump: DurationMs::from_std(self.time.max_jump),
                    },
                }
            })
            .collect()
    }
}
