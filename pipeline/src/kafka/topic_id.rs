//! Which topic of a name it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id that Kafka gives a topic when it is made: one made anew under the same name has another.
///
/// Shown as Kafka's own tools show it, in URL-safe base64 without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TopicId(u128);

impl TopicId {
    /// `None` for the id that stands for none: brokers before 2.8 give no ids.
    pub fn of_bits(bits: u128) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 128 bits are 21 characters of 6 bits, and 2 bits at the top of one more
        for index in 0..22_u32 {
            let sextet = match index {
                21 => self.0 << 4,
                _ => self.0 >> (122 - 6 * index),
            };
            let character = ALPHABET[(sextet & 63) as usize];
            write!(f, "{}", char::from(character))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::TopicId;

    #[test]
    fn an_id_is_shown_as_kafka_shows_it() {
        // java.util.UUID 0f8fad5b-d9cb-469f-a165-70867728950e
        let id = TopicId::of_bits(0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e).unwrap();
        assert_eq!(id.to_string(), "D4-tW9nLRp-hZXCGdyiVDg");
        assert_eq!(
            TopicId::of_bits(1).unwrap().to_string(),
            "AAAAAAAAAAAAAAAAAAAAAQ"
        );
        assert_eq!(TopicId::of_bits(0), None);
    }
}
