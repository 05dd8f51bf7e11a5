//! Reproducible randomness: one ChaCha stream per purpose, and draws that do not depend on library versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use schemas::time::DurationMs;

/// One independent stream per purpose, so that a change in one does not affect the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    World = 1,
    Orders,
    Supply,
    Shops,
    Field,
    Cases,
    Surveys,
    Prices,
    Envelopes,
    Dirt,
}

/// A seeded generator with the draws the simulator needs; integers only.
pub(crate) struct RandomGenerator(ChaCha8Rng);

impl RandomGenerator {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream as u64);
        Self(rng)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..n`; 0 for an empty range. The bias of n / 2^32 does not matter here.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// Uniform in `low..=high`; `low` if the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u32::try_from(high - low + 1).unwrap_or(0);
        low + i64::from(self.below(width))
    }

    /// True in `share` of 1,000 cases.
    pub(crate) fn permille(&mut self, share: u32) -> bool {
        self.below(1_000) < share
    }

    /// Uniform in `low..=high`, to the millisecond.
    pub(crate) fn duration(&mut self, low: DurationMs, high: DurationMs) -> DurationMs {
        DurationMs::from_ms(self.between(low.as_ms(), high.as_ms()))
    }

    /// Between `low` and `high` minutes, to the millisecond.
    pub(crate) fn minutes(&mut self, low: i64, high: i64) -> DurationMs {
        self.duration(
            DurationMs::from_minutes(low),
            DurationMs::from_minutes(high),
        )
    }

    /// One of `items`, by weight; `items` must not be empty.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(u32, T)]) -> T {
        let total: u32 = items.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, item) in items {
            if left < *weight {
                return *item;
            }
            left -= weight;
        }
        items[items.len() - 1].1
    }

    /// One of `items`; `items` must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// `value` ± `permille`, the middle more likely than the ends, rounded half up.
    pub(crate) fn about(&mut self, value: i64, permille: i64) -> i64 {
        let swing = self.between(-permille, permille) + self.between(-permille, permille);
        scaled(value, 1_000 + swing / 2)
    }

    /// `value` × `permille` / 1,000, rounded up or down at random so that the mean is exact also for small rates.
    pub(crate) fn share_of(&mut self, value: i64, permille: i64) -> i64 {
        (value * permille + i64::from(self.below(1_000))) / 1_000
    }
}

/// `value` × `permille` / 1,000, rounded half up; not for negative values.
pub(crate) fn scaled(value: i64, permille: i64) -> i64 {
    (value * permille + 500) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_stream_determine_the_draws() {
        let draws = |seed, stream| {
            let mut random = RandomGenerator::new(seed, stream);
            [random.bits(), random.bits()]
        };
        assert_eq!(draws(7, Stream::Orders), draws(7, Stream::Orders));
        assert_ne!(draws(7, Stream::Orders), draws(8, Stream::Orders));
        assert_ne!(draws(7, Stream::Orders), draws(7, Stream::Field));
    }

    #[test]
    fn draws_cover_their_ranges_including_the_ends() {
        let mut random = RandomGenerator::new(1, Stream::World);
        let seen: std::collections::BTreeSet<i64> =
            (0..500).map(|_| random.between(-2, 3)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2, 3]);
        let heavy = (0..2_000)
            .filter(|_| random.weighted(&[(9, true), (1, false)]))
            .count();
        assert!((1_700..1_900).contains(&heavy), "heavy={heavy}");
        let sum: i64 = (0..4_000).map(|_| random.share_of(1, 250)).sum();
        assert!((900..1_100).contains(&sum), "sum={sum}");
    }
}
