//! The sums of one group: exact in 256 bits, and kept in 64 while all of them fit.

use arrow::datatypes::i256;

/// One number for each sum and count of `stream.sql`. A sum that needs more than 64 bits takes the group's sums to 256; once
/// what made it so large is retracted, they are as narrow as before.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sums {
    Narrow(Box<[i64]>),
    Wide(Box<[i256]>),
}

impl Sums {
    pub(super) fn zero(columns: usize) -> Self {
        Self::Narrow(vec![0; columns].into())
    }

    pub(super) fn get(&self, index: usize) -> i256 {
        match self {
            Self::Narrow(sums) => i256::from_i128(sums[index].into()),
            Self::Wide(sums) => sums[index],
        }
    }

    /// Adds `weight` times the value of each column. 256 bits cannot be left: a batch's sum has 76 digits at most, which no
    /// number of batches comes near, because each of its facts has 39.
    pub(super) fn add(&mut self, weight: i64, values: impl Fn(usize) -> i256) {
        let weight = i256::from_i128(weight.into());
        let after = |index| {
            self.get(index)
                .wrapping_add(weight.wrapping_mul(values(index)))
        };
        let after: Vec<i256> = (0..self.len()).map(after).collect();
        let narrow: Option<Vec<i64>> = after.iter().map(narrow).collect();
        *self = match narrow {
            Some(narrow) => Self::Narrow(narrow.into()),
            None => Self::Wide(after.into()),
        };
    }

    fn len(&self) -> usize {
        match self {
            Self::Narrow(sums) => sums.len(),
            Self::Wide(sums) => sums.len(),
        }
    }

    /// Whether nothing is left to be kept.
    pub(super) fn are_zero(&self) -> bool {
        matches!(self, Self::Narrow(sums) if sums.iter().all(|sum| *sum == 0))
    }

    /// The number of facts, the last column: a group without facts does not exist.
    pub(super) fn has_facts(&self) -> bool {
        self.get(self.len() - 1) != i256::ZERO
    }
}

fn narrow(sum: &i256) -> Option<i64> {
    sum.to_i128().and_then(|sum| i64::try_from(sum).ok())
}
