//! List prices: where and when they are in force, and when they are announced.

use schemas::money::Fen;
use schemas::time::{DurationMs, TimestampMs};

use super::goods::{Sku, scaled_price, to_tens};
use super::organisation::Organisation;
use crate::days::SimulatedDay;
use crate::random::RandomGenerator;

/// SKUs whose price changes during the run, per mille.
const CHANGED_PERMILLE: u32 = 150;
/// For every n-th SKU, one area has prices of its own.
const REGIONAL_EVERY: usize = 23;

/// Wholesale and suggested retail price from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListPrice {
    pub sku: u16,
    /// Index of its area; `None`: everywhere.
    pub area: Option<u32>,
    pub wholesale: Fen,
    pub suggested: Fen,
    /// When `price.list_set` occurs: days before `valid_from` for a change, after it for the first prices.
    pub announced_at: TimestampMs,
    pub valid_from: TimestampMs,
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
                let price = |area, wholesale: Fen, announced_at, valid_from| ListPrice {
                    sku: index as u16,
                    area,
                    wholesale,
                    suggested: sku.suggested(wholesale),
                    announced_at,
                    valid_from,
                };
                let opening = first.start + DurationMs::from_ms(index as i64 * 1_500);
                let before = first.start - DurationMs::from_days(60);
                let mut prices = vec![price(None, sku.wholesale, opening, before)];
                if index % REGIONAL_EVERY == REGIONAL_EVERY - 1 {
                    let area = random.below(organisation.areas.len() as u32);
                    let dearer = to_tens(scaled_price(sku.wholesale, 1_015));
                    let announced_at = opening + DurationMs::from_ms(500);
                    prices.push(price(Some(area), dearer, announced_at, before));
                }
                if days > 3 && random.permille(CHANGED_PERMILLE) {
                    let announced_on = random.between(1, i64::from(days) - 3);
                    let announced_at = first.start
                        + DurationMs::from_days(announced_on)
                        + DurationMs::from_hours(random.between(9, 17));
                    let changed = to_tens(scaled_price(
                        sku.wholesale,
                        random.pick(&[975, 985, 1_015, 1_025]),
                    ));
                    // Whole days after a local midnight: in a zone with summer time this may be an hour off.
                    let valid_on = announced_on + random.between(1, 3);
                    let valid_from = first.start + DurationMs::from_days(valid_on);
                    prices.push(price(None, changed, announced_at, valid_from));
                }
                prices
            })
            .collect();
        Self { by_sku }
    }

    /// The price in force in an area at an instant (K19: the area's own wins over the general one).
    pub(crate) fn in_force(&self, sku: u16, area: u32, at: TimestampMs) -> &ListPrice {
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

    /// Prices announced in `[from, to)`.
    pub(crate) fn announced(
        &self,
        from: TimestampMs,
        to: TimestampMs,
    ) -> impl Iterator<Item = &ListPrice> {
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
    fn a_regional_price_wins_over_a_general_one_and_a_later_price_over_an_earlier_one() {
        let price = |area, wholesale_fen, valid_from| ListPrice {
            sku: 0,
            area,
            wholesale: Fen::from_fen(wholesale_fen),
            suggested: Fen::from_fen(wholesale_fen + 100),
            announced_at: TimestampMs::default(),
            valid_from: TimestampMs::from_ms(valid_from),
        };
        let book = PriceBook {
            by_sku: vec![vec![
                price(None, 1_000, 0),
                price(Some(1), 1_100, 0),
                price(None, 1_200, 50),
            ]],
        };
        let wholesale = |area, at| {
            let price = book.in_force(0, area, TimestampMs::from_ms(at));
            price.wholesale.as_fen()
        };
        assert_eq!((wholesale(0, 49), wholesale(0, 50)), (1_000, 1_200));
        assert_eq!((wholesale(1, 49), wholesale(1, 50)), (1_100, 1_100));
    }
}
