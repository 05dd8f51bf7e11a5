//! How to reach Kafka and how much to read ahead.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::error;
use super::secret::is_secret;
use crate::error::Result;

/// The longest payload that is kept whole where nothing else is said.
const KEPT_BYTES: usize = 16 << 20;

/// Bytes of one answer of a broker where nothing else is said: librdkafka's own default.
const RESPONSE_BYTES: usize = 100_000_000;

/// Bounds of what one fetch asks of a partition, packed as it is: enough for brokers that are far away, and a fourth of librdkafka's
/// default, because all batches of a fetch are unpacked at once (F27).
const LEAST_FETCH_BYTES: usize = 64 << 10;
const MOST_FETCH_BYTES: usize = 256 << 10;

/// Events as JSON are packed to an eighth of their size or so.
const PACKED_TO: usize = 8;

/// Settings that a reader's correctness rests on; a configuration that sets one of them is refused.
const OURS: [(&str, &str); 9] = [
    // positions live in the shard's log
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // records that are gone must stop us, not be skipped
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    // input topics are never created
    ("allow.auto.create.topics", "false"),
    // both bound memory, from `buffered_records` and `buffered_bytes`
    ("queued.min.messages", ""),
    ("queued.max.messages.kbytes", ""),
    ("bootstrap.servers", ""),
    ("group.id", ""),
];

/// What we choose, and a configuration may choose otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    // aborted transactions never happened
    ("isolation.level", "read_committed"),
    // a damaged batch is an error and not an event
    ("check.crcs", "true"),
    // a full buffer is looked at again soon: at the default of 1 s it would set the pace of catching up
    ("fetch.queue.backoff.ms", "20"),
    ("client.id", "vitrine"),
];

/// A Kafka cluster as the source of a shard.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Name for quotas and access rules; nothing is committed under it.
    pub group: String,
    /// Passed on to librdkafka.
    pub properties: BTreeMap<String, String>,
    /// The longest payload that is kept whole, in bytes; of a longer one only the beginning is.
    pub max_kept_bytes: usize,
    /// Records read ahead per partition.
    pub buffered_records: usize,
    /// Bytes of keys and payloads read ahead per partition. librdkafka holds at most as much again, and one fetch: so much less is asked
    /// of a partition at once as events are packed, one batch at least.
    pub buffered_bytes: usize,
    /// Bytes of one answer of a broker. librdkafka unpacks no zstd batch to more either; of other codecs it knows no bound (F27).
    pub response_bytes: usize,
    /// How far in event time an input may run ahead of one that has unread records but none here yet.
    pub alignment: Duration,
    /// How long opening waits for a broker.
    pub connect_timeout: Duration,
    /// How often an end is confirmed.
    pub confirm_every: Duration,
    /// How often is looked whether topics are still the ones that are read, and whether they have grown.
    pub describe_every: Duration,
}

impl KafkaSettings {
    /// Settings with defaults for everything but where to read.
    pub fn new(brokers: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group: group.into(),
            properties: BTreeMap::new(),
            max_kept_bytes: KEPT_BYTES,
            buffered_records: 16_384,
            buffered_bytes: 8 * 1_048_576,
            response_bytes: RESPONSE_BYTES,
            alignment: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(30),
            confirm_every: Duration::from_secs(1),
            describe_every: Duration::from_secs(5),
        }
    }

    /// Whether a client can be made of these settings, without connecting: names and values of properties.
    pub fn check(&self) -> Result<()> {
        let config = self.client_config()?;
        config.create_native_config().map_err(error::creation)?;
        Ok(())
    }

    /// The client configuration that follows; refuses properties that are ours to set.
    pub(crate) fn client_config(&self) -> Result<ClientConfig> {
        for (name, _) in OURS {
            if self.properties.contains_key(name) {
                let reason = "is set by vitrine itself; remove it from [source] properties";
                return Err(error::setting(name, reason));
            }
        }
        let mut config = ClientConfig::new();
        for (name, value) in DEFAULTS {
            config.set(name, value);
        }
        config.set(
            "receive.message.max.bytes",
            self.largest_response().to_string(),
        );
        // one setting by two names, which are set in no particular order
        if !self.properties.contains_key("max.partition.fetch.bytes") {
            config.set("fetch.message.max.bytes", self.fetch_bytes().to_string());
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in OURS {
            config.set(name, value);
        }
        let kbytes = (self.buffered_bytes / 1024).clamp(1, 2_097_151);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.group)
            .set(
                "queued.min.messages",
                self.buffered_records.clamp(1, 10_000_000).to_string(),
            )
            .set("queued.max.messages.kbytes", kbytes.to_string());
        Ok(config)
    }
}

impl KafkaSettings {
    /// Packed bytes that one fetch asks of a partition: about what is to be read ahead of it, once unpacked.
    fn fetch_bytes(&self) -> usize {
        (self.buffered_bytes / PACKED_TO).clamp(LEAST_FETCH_BYTES, MOST_FETCH_BYTES)
    }

    /// librdkafka takes no setting below what it is told to fetch.
    fn largest_response(&self) -> usize {
        let told = ["fetch.max.bytes", "message.max.bytes"].into_iter();
        let told = told.filter_map(|name| self.properties.get(name)?.parse::<usize>().ok());
        let framed = told.map(|bytes| bytes.saturating_add(512));
        framed.fold(self.response_bytes, usize::max)
    }
}

/// Shows no value of a property that may be a secret.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: BTreeMap<&str, &str> = self
            .properties
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    if is_secret(name) { "<redacted>" } else { value },
                )
            })
            .collect();
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("properties", &properties)
            .field("max_kept_bytes", &self.max_kept_bytes)
            .field("buffered_records", &self.buffered_records)
            .field("buffered_bytes", &self.buffered_bytes)
            .field("response_bytes", &self.response_bytes)
            .field("alignment", &self.alignment)
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_every", &self.confirm_every)
            .field("describe_every", &self.describe_every)
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> KafkaSettings {
        let mut settings = KafkaSettings::new("a:9092", "vitrine");
        settings.properties.insert(name.into(), value.into());
        settings
    }

    #[test]
    fn debug_shows_no_secret() {
        for name in [
            "sasl.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.config",
        ] {
            let shown = format!("{:?}", with(name, "canary"));
            assert!(
                shown.contains("<redacted>") && !shown.contains("canary"),
                "{shown}"
            );
        }
        assert!(format!("{:?}", with("security.protocol", "SASL_SSL")).contains("SASL_SSL"));
    }

    #[test]
    fn what_correctness_rests_on_cannot_be_set() {
        for (name, _) in OURS {
            let error = with(name, "x").client_config().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_property_that_librdkafka_does_not_know_is_found_offline() {
        assert!(with("fetch.min.bytes", "10").check().is_ok());
        for (name, value) in [("fetch.mn.bytes", "10"), ("fetch.min.bytes", "many")] {
            let error = with(name, value).check().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn defaults_can_be_overridden() {
        let config = with("isolation.level", "read_uncommitted")
            .client_config()
            .unwrap();
        assert_eq!(config.get("isolation.level"), Some("read_uncommitted"));
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
        assert_eq!(config.get("queued.max.messages.kbytes"), Some("8192"));
    }

    #[test]
    fn f27_what_is_fetched_follows_what_may_be_buffered() {
        let fetched = |settings: &KafkaSettings| {
            settings.check().unwrap();
            let config = settings.client_config().unwrap();
            let names = ["fetch.message.max.bytes", "receive.message.max.bytes"];
            names.map(|name| config.get(name).map(str::to_owned))
        };
        let bytes = |bytes: usize| Some(bytes.to_string());
        let mut settings = KafkaSettings::new("a:9092", "vitrine");
        assert_eq!(fetched(&settings), [bytes(256 << 10), bytes(100_000_000)]);
        (settings.buffered_bytes, settings.response_bytes) = (1 << 20, 32 << 20);
        assert_eq!(fetched(&settings), [bytes(128 << 10), bytes(32 << 20)]);
        settings.buffered_bytes = 1;
        assert_eq!(fetched(&settings), [bytes(64 << 10), bytes(32 << 20)]);
    }

    #[test]
    fn f27_what_a_configuration_says_of_fetches_counts() {
        for (name, value, fetched, response) in [
            ("fetch.message.max.bytes", "5000", Some("5000"), "100000000"),
            ("max.partition.fetch.bytes", "5000", None, "100000000"),
            (
                "receive.message.max.bytes",
                "2000000000",
                Some("262144"),
                "2000000000",
            ),
            // else librdkafka would refuse it
            ("fetch.max.bytes", "200000000", Some("262144"), "200000512"),
            (
                "message.max.bytes",
                "200000000",
                Some("262144"),
                "200000512",
            ),
        ] {
            let settings = with(name, value);
            settings.check().unwrap();
            let config = settings.client_config().unwrap();
            assert_eq!(config.get("fetch.message.max.bytes"), fetched, "{name}");
            let found = config.get("receive.message.max.bytes");
            assert_eq!(found, Some(response), "{name}");
        }
    }
}
