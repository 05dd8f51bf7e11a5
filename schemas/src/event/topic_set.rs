use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Topic;

/// A set of input topics, and so the name of a clock: `orders+visits`.
///
/// Shown, stored and read with the names in alphabetical order; any order and `,` instead of `+` are read too.
///
/// ```
/// use schemas::event::{Topic, TopicSet};
///
/// let sold = TopicSet::of(&[Topic::Visits, Topic::Orders]);
/// assert_eq!(sold.to_string(), "orders+visits");
/// assert_eq!("visits, orders".parse(), Ok(sold));
/// assert!(sold.contains(Topic::Visits) && !sold.contains(Topic::Prices));
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicSet(u8);

impl TopicSet {
    pub const fn of(topics: &[Topic]) -> Self {
        let mut bits = 0;
        let mut next = 0;
        while next < topics.len() {
            bits |= 1 << topics[next].index();
            next += 1;
        }
        Self(bits)
    }

    pub const fn contains(self, topic: Topic) -> bool {
        self.0 & (1 << topic.index()) != 0
    }

    /// Its topics in the order of [`Topic::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL
            .into_iter()
            .filter(move |topic| self.contains(*topic))
    }
}

impl From<Topic> for TopicSet {
    fn from(topic: Topic) -> Self {
        Self::of(&[topic])
    }
}

impl fmt::Display for TopicSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.iter().map(Topic::name).collect();
        names.sort_unstable();
        f.pad(&names.join("+"))
    }
}

impl FromStr for TopicSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str| {
            let name = name.trim();
            let mut topics = Topic::ALL.into_iter();
            topics.find(|topic| topic.name() == name).ok_or_else(|| {
                let known = Topic::ALL.map(Topic::name).join(", ");
                format!("unknown topic={name}; known: {known}")
            })
        };
        if text.is_empty() {
            return Ok(Self::default());
        }
        let topics = text.split(['+', ',']).map(named);
        Ok(Self::of(&topics.collect::<Result<Vec<_>, _>>()?))
    }
}

impl Serialize for TopicSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TopicSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_set_reads_as_it_is_shown() {
        for bits in 0..16 {
            let set = TopicSet(bits);
            assert_eq!(set.to_string().parse(), Ok(set));
            assert_eq!(set.iter().count(), bits.count_ones() as usize);
            let stored = serde_json::to_string(&set).unwrap();
            assert_eq!(stored, format!("\"{set}\""));
            assert_eq!(serde_json::from_str::<TopicSet>(&stored).unwrap(), set);
        }
    }

    #[test]
    fn names_are_in_alphabetical_order_and_unknown_ones_are_named() {
        let all = TopicSet::of(&Topic::ALL);
        assert_eq!(all.to_string(), "complaints+orders+prices+visits");
        let error = "orders, visit".parse::<TopicSet>().unwrap_err();
        assert_eq!(
            error,
            "unknown topic=visit; known: orders, visits, complaints, prices"
        );
    }
}
