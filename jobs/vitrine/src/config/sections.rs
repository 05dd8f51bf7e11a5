//! The sections of `vitrine.toml`, each with its defaults. Every key is documented in `deploy/vitrine.example.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use pipeline::decode::Partitioner;
use pipeline::log::StorageMode;
use pipeline::sink::WebhookSettings;
use pipeline::source::OnMissing;
use schemas::event::Topic;
use serde::Deserialize;

use super::units;

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceKind {
    Kafka,
    Files,
}

/// `[source]`
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SourceConfig {
    #[serde(deserialize_with = "units::name")]
    pub(crate) kind: SourceKind,
    pub(crate) brokers: String,
    pub(crate) group: String,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) dir: PathBuf,
    #[serde(deserialize_with = "units::name")]
    pub(crate) partitioner: Partitioner,
    #[serde(deserialize_with = "units::name")]
    pub(crate) on_missing: OnMissing,
}

/// Of properties the names alone: any value may be a secret.
impl fmt::Debug for SourceConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SourceConfig")
            .field("kind", &self.kind)
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("properties", &self.properties.keys())
            .field("dir", &self.dir)
            .field("partitioner", &self.partitioner)
            .field("on_missing", &self.on_missing)
            .finish()
    }
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
            on_missing: OnMissing::Fail,
        }
    }
}

/// `[topics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TopicsConfig {
    orders: String,
    visits: String,
    complaints: String,
    prices: String,
    pub(crate) alerts: String,
    pub(crate) demand: String,
    /// Create missing output topics; input topics are never created.
    pub(crate) create_topics: bool,
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

impl TopicsConfig {
    /// The configured name of an input topic.
    pub(crate) fn name(&self, topic: Topic) -> &str {
        match topic {
            Topic::Orders => &self.orders,
            Topic::Visits => &self.visits,
            Topic::Complaints => &self.complaints,
            Topic::Prices => &self.prices,
        }
    }

    /// Every key of a name with the name.
    fn named(&self) -> [(&'static str, &str); 6] {
        [
            ("orders", &self.orders),
            ("visits", &self.visits),
            ("complaints", &self.complaints),
            ("prices", &self.prices),
            ("alerts", &self.alerts),
            ("demand", &self.demand),
        ]
    }

    /// What is wrong with the names: key, name and why. Kafka takes no other names, and a folder of such a name is not looked for.
    pub(super) fn wrong_names(&self) -> Vec<(String, &str, String)> {
        let mut wrong = Vec::new();
        let named = self.named();
        for (index, (key, name)) in named.into_iter().enumerate() {
            let is_legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let key_of = |key: &str| format!("[topics] {key}");
            if name.is_empty()
                || name.len() > 249
                || [".", ".."].contains(&name)
                || !name.chars().all(is_legal)
            {
                let why = "a topic's name is 1 to 249 letters, digits, dots, hyphens and underscores, as in orders.v1";
                wrong.push((key_of(key), name, why.to_owned()));
            } else if let Some((other, _)) = named[..index].iter().find(|(_, other)| *other == name)
            {
                let why =
                    format!("[topics] {other} has this name already: each needs one of its own");
                wrong.push((key_of(key), name, why));
            }
        }
        wrong
    }

    /// The configured names of the input topics, in the order of [`Topic::ALL`].
    pub(crate) fn inputs(&self) -> [&str; 4] {
        Topic::ALL.map(|topic| self.name(topic))
    }
}

/// `[time.<topic>]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicTimeConfig {
    #[serde(deserialize_with = "units::duration")]
    pub(crate) out_of_orderness: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) allowed_lateness: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) idle_after: Duration,
}

/// `[time]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TimeConfig {
    #[serde(deserialize_with = "units::zone")]
    pub(crate) zone: chrono_tz::Tz,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) max_future_skew: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) max_jump: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) alignment: Duration,
    #[serde(deserialize_with = "units::orders")]
    pub(crate) orders: TopicTimeConfig,
    #[serde(deserialize_with = "units::visits")]
    pub(crate) visits: TopicTimeConfig,
    #[serde(deserialize_with = "units::complaints")]
    pub(crate) complaints: TopicTimeConfig,
    #[serde(deserialize_with = "units::prices")]
    pub(crate) prices: TopicTimeConfig,
}

impl Default for TimeConfig {
    fn default() -> Self {
        Self {
            zone: chrono_tz::Asia::Shanghai,
            max_future_skew: Duration::from_secs(300),
            max_jump: Duration::from_secs(31 * 86_400),
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
    pub(crate) fn of(topic: Topic) -> Self {
        Self {
            out_of_orderness: topic.default_out_of_orderness().to_std(),
            allowed_lateness: topic.default_allowed_lateness().to_std(),
            idle_after: Duration::from_secs(30),
        }
    }
}

/// `[epoch]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EpochConfig {
    #[serde(deserialize_with = "units::duration")]
    pub(crate) interval: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) seal_every: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) revise_every: Duration,
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

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageConfig {
    pub(crate) url: String,
    #[serde(deserialize_with = "units::storage_mode")]
    pub(crate) mode: StorageMode,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            url: "file:///var/lib/vitrine".to_owned(),
            mode: StorageMode::default(),
        }
    }
}

/// `[reference]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReferenceConfig {
    pub(crate) dir: PathBuf,
}

impl Default for ReferenceConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("ref"),
        }
    }
}

/// `[sql]`: no key yet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SqlConfig {}

/// `[alerts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertsConfig {
    pub(crate) webhooks: Vec<WebhookSettings>,
    pub(crate) allow_private_addresses: bool,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) max_age: Duration,
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

/// `[feeds]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeedsConfig {
    pub(crate) demand: bool,
    #[serde(deserialize_with = "units::duration")]
    pub(crate) max_gap: Duration,
}

impl Default for FeedsConfig {
    fn default() -> Self {
        Self {
            demand: true,
            max_gap: Duration::from_secs(400 * 86_400),
        }
    }
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpConfig {
    pub(crate) listen: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsConfig {
    pub(crate) max_record_bytes: usize,
    #[serde(deserialize_with = "units::bytes")]
    pub(crate) memory: usize,
    pub(crate) dead_letter_stop_ratio: f64,
}

/// Least room for what is on its way into an epoch.
const LEAST_IN_FLIGHT: usize = 32 << 20;

impl LimitsConfig {
    /// What may be on its way into an epoch, over all shards: an eighth of the memory, the rest is for state and queries.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        (self.memory / 8).max(LEAST_IN_FLIGHT)
    }

    /// Of them, what an epoch takes at once.
    pub(crate) fn epoch_bytes(&self) -> usize {
        self.in_flight_bytes() / 4
    }
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
