//! Durations, sizes and zones as people write them.

use std::time::Duration;

use schemas::event::Topic;
use serde::de::{Deserialize, Deserializer, Error};

use super::TopicTimeConfig;

/// `500ms`, `10s`, `5m`, `2h`, `7d`.
pub fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse_duration(&text).map_err(D::Error::custom)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is no duration like \"10s\", \"5m\" or \"2d\": {error}"))
}

/// `2GiB`, `512MB`, or a plain number of bytes.
pub fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    let size = bytesize::ByteSize::deserialize(input)?;
    usize::try_from(size.as_u64()).map_err(D::Error::custom)
}

/// A name of the zone database.
pub fn zone<'de, D: Deserializer<'de>>(input: D) -> Result<chrono_tz::Tz, D::Error> {
    let name = String::deserialize(input)?;
    name.parse()
        .map_err(|_| D::Error::custom(format!("{name:?} is no time zone like \"Asia/Shanghai\"")))
}

/// A section of one topic: keys that are absent keep the topic's own default.
fn topic<'de, D: Deserializer<'de>>(input: D, of: Topic) -> Result<TopicTimeConfig, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Given {
        out_of_orderness: Option<String>,
        allowed_lateness: Option<String>,
        idle_after: Option<String>,
    }
    let given = Given::deserialize(input)?;
    let or = |text: Option<String>, default: Duration| match text {
        Some(text) => parse_duration(&text).map_err(D::Error::custom),
        None => Ok(default),
    };
    let default = TopicTimeConfig::of(of);
    Ok(TopicTimeConfig {
        out_of_orderness: or(given.out_of_orderness, default.out_of_orderness)?,
        allowed_lateness: or(given.allowed_lateness, default.allowed_lateness)?,
        idle_after: or(given.idle_after, default.idle_after)?,
    })
}

pub fn orders<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Orders)
}

pub fn visits<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Visits)
}

pub fn complaints<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Complaints)
}

pub fn prices<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Prices)
}
