//! Money in whole fen (分, a hundredth of a yuan), never in floating point.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// An amount or a price in fen, tax included. In JSON and in stored records it is the number.
///
/// ```
/// use schemas::money::Fen;
///
/// let price = Fen::from_fen(8_480);
/// let discount = Fen::from_fen(-480);
/// let total: Fen = [price.saturating_mul(3), discount].into_iter().sum();
/// assert_eq!(total.to_string(), "24960 fen");
/// // An overflow is seen, or stays at the limit. Nothing wraps around.
/// let most = Fen::from_fen(i64::MAX);
/// assert_eq!(most.checked_add(price), None);
/// assert_eq!(most.saturating_add(price), most);
/// ```
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fen(i64);

impl Fen {
    pub const ZERO: Self = Self(0);

    #[inline]
    pub const fn from_fen(fen: i64) -> Self {
        Self(fen)
    }

    #[inline]
    pub const fn as_fen(self) -> i64 {
        self.0
    }

    #[inline]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    #[inline]
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What a quantity costs at this price; saturates.
    #[inline]
    #[must_use]
    pub const fn saturating_mul(self, qty: i64) -> Self {
        Self(self.0.saturating_mul(qty))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fen", self.0)
    }
}

/// Saturates.
impl Sum for Fen {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MOST: Fen = Fen::from_fen(i64::MAX);

    #[test]
    fn sums_are_checked_or_saturate() {
        let price = Fen::from_fen(8_480);
        assert_eq!(price.checked_add(price), Some(Fen::from_fen(16_960)));
        assert_eq!(MOST.checked_add(Fen::from_fen(1)), None);
        assert_eq!(MOST.saturating_add(price), MOST);
        assert_eq!([MOST, MOST].into_iter().sum::<Fen>(), MOST);
        assert_eq!([price; 3].into_iter().sum::<Fen>(), price.saturating_mul(3));
        assert_eq!(MOST.saturating_mul(2), MOST);
        assert_eq!(
            Fen::from_fen(-1).saturating_mul(i64::MAX).as_fen(),
            -i64::MAX
        );
    }

    #[test]
    fn json_is_the_plain_number() {
        let price = Fen::from_fen(8_480);
        assert_eq!(serde_json::to_string(&price).unwrap(), "8480");
        assert_eq!(serde_json::from_str::<Fen>("8480").unwrap(), price);
        assert_eq!(price.to_string(), "8480 fen");
    }
}
