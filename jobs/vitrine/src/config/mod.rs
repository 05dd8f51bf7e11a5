//! `vitrine.toml`: one layer of defaults, one file, then the environment (`VITRINE__SECTION__KEY`).
//!
//! Every key is documented in `deploy/vitrine.example.toml`, which a test holds against the defaults here. Unknown keys are
//! refused, naming the nearest known one. Keys that only later work wires are refused with a sentence unless at their default.

mod environment;
mod load;
mod problems;
#[cfg(test)]
mod tests;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pipeline::decode::{Partitioner, TopicSettings};
use pipeline::sink::WebhookSettings;
use schemas::event::Topic;
use serde::Deserialize;

pub use load::{ConfigError, load};
pub use problems::problems;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub source: SourceConfig,
    pub topics: TopicsConfig,
    pub time: TimeConfig,
    pub epoch: EpochConfig,
    pub storage: StorageConfig,
    pub reference: ReferenceConfig,
    pub sql: SqlConfig,
    pub alerts: AlertsConfig,
    pub feeds: FeedsConfig,
    pub http: HttpConfig,
    pub limits: LimitsConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Kafka,
    Files,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    pub kind: SourceKind,
    pub brokers: String,
    pub group: String,
    pub properties: BTreeMap<String, String>,
    pub dir: PathBuf,
    pub partitioner: Partitioner,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            kind: SourceKind::Kafka,
            brokers: "127.0.0.1:9092".to_owned(),
            group: "vitrine".to_owned(),
            properties: BTreeMap::new(),
            dir: PathBuf::new(),
            partitioner: Partitioner::Murmur2,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicsConfig {
    pub orders: String,
    pub visits: String,
    pub complaints: String,
    pub prices: String,
    pub alerts: String,
    pub demand: String,
    /// Makes output topics that do not exist; input topics never.
    pub create_topics: bool,
}

impl Default for TopicsConfig {
    fn default() -> Self {
        let name = |topic: Topic| topic.default_topic().to_owned();
        Self {
            orders: name(Topic::Orders),
            visits: name(Topic::Visits),
            complaints: name(Topic::Complaints),
            prices: name(Topic::Prices),
            alerts: "alerts.v1".to_owned(),
            demand: "feeds.demand.v1".to_owned(),
            create_topics: true,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicTimeConfig {
    #[serde(deserialize_with = "units::duration")]
    pub out_of_orderness: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub allowed_lateness: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub idle_after: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeConfig {
    #[serde(deserialize_with = "units::zone")]
    pub zone: chrono_tz::Tz,
    #[serde(deserialize_with = "units::duration")]
    pub max_future_skew: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub alignment: Duration,
    #[serde(deserialize_with = "units::orders")]
    pub orders: TopicTimeConfig,
    #[serde(deserialize_with = "units::visits")]
    pub visits: TopicTimeConfig,
    #[serde(deserialize_with = "units::complaints")]
    pub complaints: TopicTimeConfig,
    #[serde(deserialize_with = "units::prices")]
    pub prices: TopicTimeConfig,
}

impl Default for TimeConfig {
    fn default() -> Self {
        Self {
            zone: chrono_tz::Asia::Shanghai,
            max_future_skew: Duration::from_secs(300),
            alignment: Duration::from_secs(3600),
            orders: TopicTimeConfig::of(Topic::Orders),
            visits: TopicTimeConfig::of(Topic::Visits),
            complaints: TopicTimeConfig::of(Topic::Complaints),
            prices: TopicTimeConfig::of(Topic::Prices),
        }
    }
}

impl TopicTimeConfig {
    /// The defaults of `CONTRACT.md` 2.
    pub fn of(topic: Topic) -> Self {
        let (bound_s, late_days) = match topic {
            Topic::Orders => (60, 2),
            Topic::Complaints => (5, 2),
            Topic::Visits | Topic::Prices => (600, 7),
        };
        Self {
            out_of_orderness: Duration::from_secs(bound_s),
            allowed_lateness: Duration::from_secs(late_days * 86_400),
            idle_after: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpochConfig {
    #[serde(deserialize_with = "units::duration")]
    pub interval: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub seal_every: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub revise_every: Duration,
}

impl Default for EpochConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            seal_every: Duration::from_secs(1),
            revise_every: Duration::from_secs(300),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    pub url: String,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            url: "file:///var/lib/vitrine".to_owned(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceConfig {
    pub dir: PathBuf,
}

impl Default for ReferenceConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("ref"),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqlConfig {}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    pub webhooks: Vec<WebhookSettings>,
    pub allow_private_addresses: bool,
    #[serde(deserialize_with = "units::duration")]
    pub max_age: Duration,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            webhooks: Vec::new(),
            allow_private_addresses: false,
            max_age: Duration::from_secs(86_400),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedsConfig {
    pub demand: bool,
}

impl Default for FeedsConfig {
    fn default() -> Self {
        Self { demand: true }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    pub listen: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    pub max_record_bytes: usize,
    #[serde(deserialize_with = "units::bytes")]
    pub memory: usize,
    pub dead_letter_stop_ratio: f64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_record_bytes: 1 << 20,
            memory: 2 << 30,
            dead_letter_stop_ratio: 0.5,
        }
    }
}

impl Config {
    /// What the engine reads of a topic.
    pub fn topic_settings(&self) -> Vec<TopicSettings> {
        Topic::ALL
            .into_iter()
            .map(|topic| {
                let (name, time) = match topic {
                    Topic::Orders => (&self.topics.orders, self.time.orders),
                    Topic::Visits => (&self.topics.visits, self.time.visits),
                    Topic::Complaints => (&self.topics.complaints, self.time.complaints),
                    Topic::Prices => (&self.topics.prices, self.time.prices),
                };
                TopicSettings {
                    topic,
                    name: name.clone(),
                    out_of_orderness_ms: ms(time.out_of_orderness),
                    allowed_lateness_ms: ms(time.allowed_lateness),
                    idle_after_ms: ms(time.idle_after),
                }
            })
            .collect()
    }
}

/// Milliseconds of a configured duration.
pub fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
