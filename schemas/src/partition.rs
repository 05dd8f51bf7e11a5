//! The partition of a key: murmur2 as Kafka's Java client computes it, so that producers in any language agree.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const ROTATION: u32 = 24;

/// The 32-bit murmur2 hash of the Java client (`org.apache.kafka.common.utils.Utils.murmur2`), with its sign.
fn murmur2(data: &[u8]) -> i32 {
    // The Java client takes the length as an int, so longer keys wrap the same way.
    let mut hash = SEED ^ (data.len() as u32);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> ROTATION;
        mixed = mixed.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^= hash >> 15;
    hash as i32
}

/// The partition of `key` among `n`, as the Java client's default partitioner chooses it (`toPositive(murmur2(key)) % n`).
///
/// 0 if there are no partitions (`n` = 0).
///
/// ```
/// use schemas::partition::partition_of;
///
/// // The Java client hashes `foobar` to -790332482, which without its sign is 1357151166.
/// assert_eq!(partition_of(b"foobar", 12), 1_357_151_166 % 12);
/// assert_eq!(partition_of(b"foobar", 1), 0);
/// ```
pub fn partition_of(key: &[u8], n: u32) -> u32 {
    let positive = (murmur2(key) & i32::MAX) as u32;
    positive.checked_rem(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the Java client's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn hashes_are_those_of_the_java_client() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key.as_bytes()), hash, "key={key}");
        }
    }

    #[test]
    fn the_sign_is_cleared_and_the_result_is_in_range() {
        assert_eq!(
            partition_of(b"21", 4),
            ((-973_932_308_i32) & i32::MAX) as u32 % 4
        );
        for n in 1..20 {
            assert!(partition_of(b"a-little-bit-long-string", n) < n);
        }
        assert_eq!(partition_of(b"21", 0), 0);
    }
}
