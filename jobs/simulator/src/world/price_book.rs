//! List prices: what is in force where and when, and when it is announced.

use super::goods::{Sku, to_tens};
use super::organisation::Organisation;
use crate::days::{DAY_MS, HOUR_MS, SimulatedDay};
use crate::random::{RandomGenerator, scaled};

/// SKUs whose price changes during the run.
const CHANGED_PERMILLE: u32 = 150;
/// Every so many SKUs one area has prices of its own.
const REGIONAL_EVERY: usize = 23;

/// A pair of list prices from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListPrice {
    pub sku: u16,
    /// Index of the area it holds in; none: everywhere.
    pub area: Option<u32>,
    pub wholesale_fen: i64,
    pub suggested_fen: i64,
    /// When `price.list_set` occurs; days ahead of `valid_from` for a change, after it for the first prices.
    pub announced_at: i64,
    pub valid_from: i64,
}

/// All list prices of a run, announced or not.
pub(crate) struct PriceBook {
    /// By SKU, then `valid_from`.
    by_sku: Vec<Vec<ListPrice>>,
}

impl PriceBook {
    pub(super) fn draw(
        skus: &[Sku],
        organisation: &Organisation,
        first: &SimulatedDay,
        days: u32,
        random: &mut RandomGenerator,
    ) -> Self {
        let by_sku = skus
            .iter()
            .enumerate()
            .map(|(index, sku)| {
                let price = |area, wholesale_fen: i64, announced_at, valid_from| ListPrice {
                    sku: index as u16,
                    area,
                    wholesale_fen,
                    suggested_fen: sku.suggested_fen(wholesale_fen),
                    announced_at,
                    valid_from,
                };
                let opening = first.start_ms + index as i64 * 1_500;
                let before = first.start_ms - 60 * DAY_MS;
                let mut prices = vec![price(None, sku.wholesale_fen, opening, before)];
                if index % REGIONAL_EVERY == REGIONAL_EVERY - 1 {
                    let area = random.below(organisation.areas.len() as u32);
                    let dearer = to_tens(scaled(sku.wholesale_fen, 1_015));
                    prices.push(price(Some(area), dearer, opening + 500, before));
                }
                if days > 3 && random.permille(CHANGED_PERMILLE) {
                    let announced_at = first.start_ms
                        + random.between(1, i64::from(days) - 3) * DAY_MS
                        + random.between(9, 17) * HOUR_MS;
                    let changed = to_tens(scaled(
                        sku.wholesale_fen,
                        random.pick(&[975, 985, 1_015, 1_025]),
                    ));
                    // A whole number of days after a local midnight; a zone with summer time shifts it by an hour at most.
                    let into = (announced_at - first.start_ms) / DAY_MS;
                    let valid_from = first.start_ms + (into + random.between(1, 3)) * DAY_MS;
                    prices.push(price(None, changed, announced_at, valid_from));
                }
                prices
            })
            .collect();
        Self { by_sku }
    }

    /// The price in force in an area at an instant (K19: the area's own beats the general one).
    pub fn in_force(&self, sku: u16, area: u32, at: i64) -> &ListPrice {
        let prices = &self.by_sku[usize::from(sku)];
        let newest = |of: Option<u32>| {
            prices
                .iter()
                .rev()
                .find(|price| price.area == of && price.valid_from <= at)
        };
        newest(Some(area))
            .or_else(|| newest(None))
            .unwrap_or(&prices[0])
    }

    /// What is announced in `[from, to)`.
    pub fn announced(&self, from: i64, to: i64) -> impl Iterator<Item = &ListPrice> {
        self.by_sku
            .iter()
            .flatten()
            .filter(move |price| (from..to).contains(&price.announced_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_areas_price_beats_the_general_one_and_the_next_ends_it() {
        let price = |area, wholesale_fen, valid_from| ListPrice {
            sku: 0,
            area,
            wholesale_fen,
            suggested_fen: wholesale_fen + 100,
            announced_at: 0,
            valid_from,
        };
        let book = PriceBook {
            by_sku: vec![vec![
                price(None, 1_000, 0),
                price(Some(1), 1_100, 0),
                price(None, 1_200, 50),
            ]],
        };
        let wholesale = |area, at| book.in_force(0, area, at).wholesale_fen;
        assert_eq!((wholesale(0, 49), wholesale(0, 50)), (1_000, 1_200));
        assert_eq!((wholesale(1, 49), wholesale(1, 50)), (1_100, 1_100));
    }
}
