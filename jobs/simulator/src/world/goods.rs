//! SKUs: what there is to sell, how it sells, how well it is supplied.

use crate::random::{RandomGenerator, scaled};

/// How supply meets demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupplyStatus {
    Constrained,
    Normal,
    Slow,
}

impl SupplyStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Constrained => "CONSTRAINED",
            Self::Normal => "NORMAL",
            Self::Slow => "SLOW",
        }
    }
}

/// One SKU; base unit is the carton (条).
pub(crate) struct Sku {
    pub sku_id: String,
    pub brand: u32,
    pub manufacturer: u32,
    pub supply: SupplyStatus,
    pub is_key_brand: bool,
    /// First wholesale list price, in fen; a whole number of 10 fen.
    pub wholesale_fen: i64,
    /// Suggested retail price over wholesale, per mille: 11-13 % makes a gross margin of 10-11.5 %.
    pub markup_permille: i64,
    /// How well it sells, per mille of an average SKU.
    pub popularity_permille: i64,
}

impl Sku {
    pub fn brand_id(&self) -> String {
        format!("B{:03}", self.brand)
    }

    pub fn manufacturer_id(&self) -> String {
        format!("M{:02}", self.manufacturer)
    }

    /// By wholesale price of a carton.
    pub fn price_band(&self) -> &'static str {
        match self.wholesale_fen {
            ..6_000 => "P1",
            6_000..12_000 => "P2",
            12_000..20_000 => "P3",
            20_000..35_000 => "P4",
            _ => "P5",
        }
    }

    /// The suggested price that goes with a wholesale price, in fen.
    pub fn suggested_fen(&self, wholesale_fen: i64) -> i64 {
        to_tens(scaled(wholesale_fen, 1_000 + self.markup_permille))
    }
}

/// Prices are whole numbers of 10 fen.
pub(crate) fn to_tens(fen: i64) -> i64 {
    (fen + 5) / 10 * 10
}

/// The first SKUs are every sample retailer's basket: well known and not short by nature.
pub(crate) const BASKET: u16 = 15;

/// 60 SKUs, more where there are more customers, at most 120.
pub(super) fn stock_list(customers: u32, random: &mut RandomGenerator) -> Vec<Sku> {
    let count = 60 + (customers / 100).min(60);
    (0..count)
        .map(|index| {
            let in_basket = index < u32::from(BASKET);
            let supply = if in_basket {
                SupplyStatus::Normal
            } else {
                random.weighted(&[
                    (15, SupplyStatus::Constrained),
                    (65, SupplyStatus::Normal),
                    (20, SupplyStatus::Slow),
                ])
            };
            let brand = index / 3 + 1;
            Sku {
                sku_id: format!("SKU{:03}", index + 1),
                brand,
                manufacturer: brand.div_ceil(4),
                supply,
                is_key_brand: brand % 5 == 1,
                wholesale_fen: to_tens(
                    random.weighted(&[
                        (4, 5_000),
                        (5, 9_000),
                        (4, 16_000),
                        (2, 28_000),
                        (1, 50_000),
                    ]) + random.between(-900, 2_500),
                ),
                markup_permille: random.between(112, 128),
                popularity_permille: match supply {
                    SupplyStatus::Slow => random.between(150, 400),
                    _ if in_basket => random.between(1_000, 1_600),
                    _ => random.between(500, 1_500),
                },
            }
        })
        .collect()
}
