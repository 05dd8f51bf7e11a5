//! SKUs: prices, popularity and supply.

use schemas::money::Fen;

use crate::random::{RandomGenerator, scaled};

/// How supply meets demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupplyStatus {
    Constrained,
    Normal,
    Slow,
}

impl SupplyStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Constrained => "CONSTRAINED",
            Self::Normal => "NORMAL",
            Self::Slow => "SLOW",
        }
    }
}

/// One SKU; its base unit is the carton (条).
pub(crate) struct Sku {
    pub sku_id: String,
    pub brand: u32,
    pub manufacturer: u32,
    pub supply: SupplyStatus,
    pub is_key_brand: bool,
    /// First wholesale list price; a multiple of 10 fen.
    pub wholesale: Fen,
    /// Suggested retail price over wholesale, per mille: 11-13 % makes a gross margin of 10-11.5 %.
    pub markup_permille: i64,
    /// Sales, per mille of an average SKU.
    pub popularity_permille: i64,
}

impl Sku {
    pub(crate) fn brand_id(&self) -> String {
        format!("B{:03}", self.brand)
    }

    pub(crate) fn manufacturer_id(&self) -> String {
        format!("M{:02}", self.manufacturer)
    }

    /// By wholesale price of a carton.
    pub(crate) fn price_band(&self) -> &'static str {
        match self.wholesale.as_fen() {
            ..6_000 => "P1",
            6_000..12_000 => "P2",
            12_000..20_000 => "P3",
            20_000..35_000 => "P4",
            _ => "P5",
        }
    }

    /// The suggested retail price for a wholesale price.
    pub(crate) fn suggested(&self, wholesale: Fen) -> Fen {
        to_tens(scaled_price(wholesale, 1_000 + self.markup_permille))
    }
}

/// Rounds to a multiple of 10 fen, as list prices are.
pub(super) fn to_tens(price: Fen) -> Fen {
    Fen::from_fen((price.as_fen() + 5) / 10 * 10)
}

/// `price` × `permille` / 1,000, rounded half up.
pub(crate) fn scaled_price(price: Fen, permille: i64) -> Fen {
    Fen::from_fen(scaled(price.as_fen(), permille))
}

/// The first SKUs are the basket of every sample retailer: popular and not constrained.
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
                wholesale: to_tens(Fen::from_fen(
                    random.weighted(&[
                        (4, 5_000),
                        (5, 9_000),
                        (4, 16_000),
                        (2, 28_000),
                        (1, 50_000),
                    ]) + random.between(-900, 2_500),
                )),
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
