//! Values of the right type that cannot work (F40): each with its key and what to write instead.
//!
//! Zero is allowed where it says something: `max_future_skew` (no event is later than the moment it was recorded), `out_of_orderness`
//! (events come in order), `allowed_lateness` (late is too late), `idle_after` (a partition at its end holds nobody back), and
//! `[feeds] max_gap` (no days of zeros).

use std::time::Duration;

use pipeline::sink::TOPIC_DESTINATION;

use super::Config;
use super::sections::SourceKind;

/// Key, value and why it is refused.
pub(super) type Refusal = (String, String, String);

const DAY: Duration = Duration::from_secs(86_400);
/// Added to any event time it is still a time, and a reader's clock never overflows.
const CENTURY: Duration = Duration::from_secs(36_525 * 86_400);
/// More would keep every window from its first revision.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// What records of librdkafka hold at most.
const MOST_RECORD_BYTES: usize = 1_000_000_000;
const LEAST_RECORD_BYTES: usize = 1_024;
/// Below this no query could sort anything.
const LEAST_MEMORY: usize = 64 << 20;

/// Every value that cannot work.
pub(super) fn impossible(config: &Config) -> Vec<Refusal> {
    let mut refusals = source(config);
    refusals.extend(durations(config));
    refusals.extend(storage(config));
    refusals.extend(webhooks(config));
    refusals.extend(limits(config));
    refusals
}

fn refusal(key: &str, value: impl ToString, why: impl ToString) -> Refusal {
    (key.to_owned(), value.to_string(), why.to_string())
}

/// What is not used is not looked at: files need neither brokers nor a group. A password is one wherever it stands.
fn source(config: &Config) -> Vec<Refusal> {
    let source = &config.source;
    let mut refusals = Vec::new();
    if source.brokers.contains('@') {
        refusals.push(refusal(
            "[source] brokers",
            "…@…",
            "brokers have no user and no password: write host:port, and sasl.username and sasl.password in [source] properties",
        ));
    } else if source.kind == SourceKind::Kafka && !source.brokers.split(',').all(is_address) {
        refusals.push(refusal(
            "[source] brokers",
            &source.brokers,
            "write host:port, separated by commas, as in kafka-1:9092,kafka-2:9092",
        ));
    }
    if source.kind == SourceKind::Kafka && source.group.trim().is_empty() {
        refusals.push(refusal(
            "[source] group",
            &source.group,
            "the consumer group needs a name of its own, as in vitrine",
        ));
    }
    refusals
}

/// `host`, `host:port`, `[::1]:port`, also with a protocol before it, as librdkafka takes them.
fn is_address(text: &str) -> bool {
    let text = text.trim();
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    !host.is_empty() && !host.contains(char::is_whitespace) && port.is_none_or(is_port)
}

fn durations(config: &Config) -> Vec<Refusal> {
    let (time, epoch) = (&config.time, &config.epoch);
    let ms = Duration::from_millis;
    let mut bounded = vec![
        ("[epoch] interval".to_owned(), epoch.interval, ms(10), DAY),
        (
            "[epoch] seal_every".to_owned(),
            epoch.seal_every,
            ms(10),
            Duration::from_secs(3_600),
        ),
        (
            "[epoch] revise_every".to_owned(),
            epoch.revise_every,
            ms(10),
            YEAR,
        ),
        (
            "[time] max_future_skew".to_owned(),
            time.max_future_skew,
            Duration::ZERO,
            YEAR,
        ),
        (
            "[time] max_jump".to_owned(),
            time.max_jump,
            ms(1_000),
            CENTURY,
        ),
        (
            "[time] alignment".to_owned(),
            time.alignment,
            ms(1_000),
            CENTURY,
        ),
        (
            "[alerts] max_age".to_owned(),
            config.alerts.max_age,
            ms(1_000),
            CENTURY,
        ),
        (
            "[feeds] max_gap".to_owned(),
            config.feeds.max_gap,
            Duration::ZERO,
            CENTURY,
        ),
    ];
    for (name, topic) in [
        ("orders", time.orders),
        ("visits", time.visits),
        ("complaints", time.complaints),
        ("prices", time.prices),
    ] {
        for (key, value, most) in [
            ("out_of_orderness", topic.out_of_orderness, YEAR),
            ("allowed_lateness", topic.allowed_lateness, CENTURY),
            ("idle_after", topic.idle_after, YEAR),
        ] {
            bounded.push((format!("[time.{name}] {key}"), value, Duration::ZERO, most));
        }
    }
    let text = |duration: Duration| humantime::format_duration(duration).to_string();
    let mut refusals: Vec<Refusal> = bounded
        .into_iter()
        .filter(|(_, value, least, most)| !(*least..=*most).contains(value))
        .map(|(key, value, least, most)| {
            let days = most.as_secs() / DAY.as_secs();
            let most = match days {
                0 => text(most),
                days => format!("{days}d"),
            };
            let why = format!("write a duration from {} to {most}", text(least));
            (key, text(value), why)
        })
        .collect();
    let gap = config.feeds.max_gap;
    if !gap.as_secs().is_multiple_of(DAY.as_secs()) || gap.subsec_nanos() != 0 {
        refusals.push(refusal(
            "[feeds] max_gap",
            text(gap),
            "the feed has a row a day: write whole days, as in 400d",
        ));
    }
    refusals
}

/// A folder is its path as it is; what looks like part of a URL would become part of its name, and be shown with it.
fn storage(config: &Config) -> Vec<Refusal> {
    let url = &config.storage.url;
    let Some(path) = url.strip_prefix("file://") else {
        // Other schemes are refused as not supported.
        return Vec::new();
    };
    if path.starts_with('/') && !path.contains(['?', '#']) {
        return Vec::new();
    }
    vec![refusal(
        "[storage] url",
        super::shown_url(url),
        "write an absolute path without user, host, query and fragment, as in file:///var/lib/vitrine",
    )]
}

/// Deliveries are told apart by the names of their destinations, and the alert topic is one of them.
fn webhooks(config: &Config) -> Vec<Refusal> {
    let names = config.alerts.webhooks.iter().map(|hook| &hook.name);
    names
        .filter(|name| name.trim().is_empty() || name.starts_with(TOPIC_DESTINATION))
        .map(|name| {
            let why = "ops.deliveries names receivers by it: write a name as in desk, and none that begins with `topic `";
            refusal("[alerts] webhooks name", name, why)
        })
        .collect()
}

fn limits(config: &Config) -> Vec<Refusal> {
    let limits = &config.limits;
    let mut refusals = Vec::new();
    let bytes = limits.max_record_bytes;
    if !(LEAST_RECORD_BYTES..=MOST_RECORD_BYTES).contains(&bytes) {
        let why =
            format!("write a number of bytes from {LEAST_RECORD_BYTES} to {MOST_RECORD_BYTES}");
        refusals.push(refusal("[limits] max_record_bytes", bytes, why));
    }
    if limits.memory < LEAST_MEMORY {
        refusals.push(refusal(
            "[limits] memory",
            bytesize::ByteSize::b(limits.memory as u64),
            "queries and inputs need 64MiB at least, as in 2GiB",
        ));
    }
    let ratio = limits.dead_letter_stop_ratio;
    if !(ratio > 0.0 && ratio <= 1.0) {
        refusals.push(refusal(
            "[limits] dead_letter_stop_ratio",
            ratio,
            "write a share above 0 and at most 1, as in 0.5; it stops where that share is reached, so 0 would always stop",
        ));
    }
    refusals
}
