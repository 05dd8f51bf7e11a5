//! Durations, sizes and zones as the configuration writes them.

use std::time::Duration;

use pipeline::log::StorageMode;
use schemas::event::Topic;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IntoDeserializer};

use super::sections::TopicTimeConfig;

/// `500ms`, `10s`, `5m`, `2h`, `7d`.
pub(super) fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse_duration(&text).map_err(D::Error::custom)
}

/// The same where a key may be missing; as a field of its own, so that an error names the key and who set it.
fn duration_if_set<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    duration(input).map(Some)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| {
        format!("{text:?} is not a duration like \"10s\", \"5m\" or \"2d\": {error}")
    })
}

/// `2GiB`, `512MB`, or a plain number of bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    let is_none = "is not a size like \"2GiB\", \"512MB\" or 1073741824 (bytes)";
    let size = bytesize::ByteSize::deserialize(input).map_err(|_| D::Error::custom(is_none))?;
    usize::try_from(size.as_u64()).map_err(|_| D::Error::custom(is_none))
}

/// A name of the zone database.
pub(super) fn zone<'de, D: Deserializer<'de>>(input: D) -> Result<chrono_tz::Tz, D::Error> {
    let name = String::deserialize(input)?;
    name.parse().map_err(|_| {
        D::Error::custom(format!(
            "{name:?} is not a time zone like \"Asia/Shanghai\""
        ))
    })
}

/// A name out of several. Without this a number would be the place of one among them.
pub(super) fn name<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    input: D,
) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(input)?.into_deserializer())
}

/// Rights of folders in octal digits, `0750`.
pub(super) fn storage_mode<'de, D: Deserializer<'de>>(input: D) -> Result<StorageMode, D::Error> {
    let text = String::deserialize(input)?;
    let mode = u32::from_str_radix(&text, 8)
        .map_err(|_| format!("{text:?} is not a mode of folders like \"0750\""));
    mode.and_then(StorageMode::new).map_err(D::Error::custom)
}

/// A section of one topic: missing keys have the default of that topic.
fn topic<'de, D: Deserializer<'de>>(input: D, topic: Topic) -> Result<TopicTimeConfig, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TopicTimeSection {
        #[serde(default, deserialize_with = "duration_if_set")]
        out_of_orderness: Option<Duration>,
        #[serde(default, deserialize_with = "duration_if_set")]
        allowed_lateness: Option<Duration>,
        #[serde(default, deserialize_with = "duration_if_set")]
        idle_after: Option<Duration>,
    }
    let section = TopicTimeSection::deserialize(input)?;
    let default = TopicTimeConfig::of(topic);
    Ok(TopicTimeConfig {
        out_of_orderness: section.out_of_orderness.unwrap_or(default.out_of_orderness),
        allowed_lateness: section.allowed_lateness.unwrap_or(default.allowed_lateness),
        idle_after: section.idle_after.unwrap_or(default.idle_after),
    })
}

pub(super) fn orders<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Orders)
}

pub(super) fn visits<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Visits)
}

pub(super) fn complaints<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Complaints)
}

pub(super) fn prices<'de, D: Deserializer<'de>>(input: D) -> Result<TopicTimeConfig, D::Error> {
    topic(input, Topic::Prices)
}
