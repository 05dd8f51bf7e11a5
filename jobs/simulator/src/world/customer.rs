//! Customers: who they are, when they order and are visited, what they carry.

use super::goods::{BASKET, Sku};
use super::organisation::Organisation;
use crate::random::RandomGenerator;

/// Kinds that this distributor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CustomerKind {
    Retailer,
    KeyAccount,
    EquipmentOwner,
}

impl CustomerKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retailer => "RETAILER",
            Self::KeyAccount => "KEY_ACCOUNT",
            Self::EquipmentOwner => "EQUIPMENT_OWNER",
        }
    }
}

/// A change of a customer during the run, from the local midnight of `day` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Class { day: u32, class: u8 },
    Territory { day: u32, territory: u32 },
}

/// One customer.
pub(crate) struct Customer {
    pub customer_id: Box<str>,
    pub kind: CustomerKind,
    /// Index into [`super::CLASSES`].
    pub class: u8,
    pub territory: u32,
    pub is_sample: bool,
    pub is_rural: bool,
    pub business_type: &'static str,
    pub scale: &'static str,
    pub trade_area: &'static str,
    pub order_channel: &'static str,
    pub delivery_mode: &'static str,
    pub settlement: &'static str,
    /// One bit per weekday, Monday lowest.
    pub order_weekdays: u8,
    /// Monday = 0.
    pub visit_weekday: u32,
    /// Sales, per mille of the average of its class.
    pub size_permille: i64,
    /// Deviation of its prices from the suggested ones, per mille.
    pub price_bias_permille: i64,
    pub moves: Option<Move>,
    /// Missing in the reference data.
    pub is_unlisted: bool,
    /// SKUs on sale, ascending.
    pub carries: Box<[u16]>,
}

/// The customer that is missing in the reference data: not a sample retailer, present in small runs too.
const UNLISTED: u32 = 16;

impl Customer {
    pub(super) fn draw(
        index: u32,
        organisation: &Organisation,
        skus: &[Sku],
        days: u32,
        random: &mut RandomGenerator,
    ) -> Self {
        let kind = match index {
            _ if index % 50 == 41 => CustomerKind::EquipmentOwner,
            _ if index % 100 == 57 => CustomerKind::KeyAccount,
            _ => CustomerKind::Retailer,
        };
        let is_sample = index.is_multiple_of(10);
        let class = match kind {
            CustomerKind::KeyAccount => 0,
            _ => random.weighted(&[(10, 0), (25, 1), (40, 2), (25, 3)]),
        };
        let is_rural = random.permille(350);
        let weekday = random.below(5);
        // Larger shops order on more days.
        let order_weekdays = [0, 2, 4][..3 - usize::from(class).min(2)]
            .iter()
            .fold(0, |days, after| days | 1 << ((weekday + after) % 5));
        Self {
            customer_id: format!("C{:06}", index + 1).into(),
            kind,
            class,
            territory: organisation.territory_of(index),
            is_sample,
            is_rural,
            business_type: random.weighted(&[
                (45, "GROCERY"),
                (25, "CONVENIENCE"),
                (12, "SUPERMARKET"),
                (10, "TOBACCO_LIQUOR"),
                (5, "ENTERTAINMENT"),
                (3, "OTHER"),
            ]),
            scale: ["LARGE", "MEDIUM", "MEDIUM", "SMALL"][usize::from(class)],
            trade_area: random.pick(&["RESIDENTIAL", "STATION", "SCHOOL", "MARKET", "BUSINESS"]),
            order_channel: random.weighted(&[
                (40, "ONLINE"),
                (30, "MOBILE"),
                (20, "PHONE"),
                (8, "ONLINE_ALLOCATION"),
                (2, "FIELD"),
            ]),
            delivery_mode: if is_rural {
                random.weighted(&[(60, "DOOR"), (30, "PICKUP_POINT"), (10, "ENTRUSTED")])
            } else {
                "DOOR"
            },
            settlement: random.weighted(&[
                (80, "E_SETTLEMENT"),
                (8, "CASH"),
                (7, "MOBILE_PAY"),
                (5, "TRANSFER"),
            ]),
            order_weekdays,
            // Sample retailers are due before Thursday (000-R70).
            visit_weekday: if is_sample {
                1 + random.below(2)
            } else {
                random.below(5)
            },
            size_permille: random.between(700, 1_300),
            price_bias_permille: random.between(-3, 5),
            moves: Self::draw_move(index, class, organisation, days),
            is_unlisted: index == UNLISTED,
            carries: Self::draw_assortment(is_sample, skus, random),
        }
    }

    fn draw_move(index: u32, class: u8, organisation: &Organisation, days: u32) -> Option<Move> {
        let day = days / 2;
        let neighbour = organisation.territory_of(index) ^ 1;
        match index {
            _ if day == 0 => None,
            _ if index % 97 == 20 => Some(Move::Class {
                day,
                class: class.saturating_sub(1),
            })
            .filter(|_| class > 0),
            _ if index % 101 == 11 && (neighbour as usize) < organisation.territories.len() => {
                Some(Move::Territory {
                    day,
                    territory: neighbour,
                })
            }
            _ => None,
        }
    }

    /// 15-30 SKUs; sample retailers carry the whole basket.
    fn draw_assortment(is_sample: bool, skus: &[Sku], random: &mut RandomGenerator) -> Box<[u16]> {
        let wanted = random.between(15, 30) as u32;
        let mut carries: Vec<u16> = Vec::with_capacity(wanted as usize);
        if is_sample {
            carries.extend(0..BASKET);
        }
        // One pass over all SKUs, each taken with probability missing / left: ascending and without repeats.
        let from = carries.len() as u32;
        let mut missing = wanted - from;
        for sku in from..skus.len() as u32 {
            let left = skus.len() as u32 - sku;
            if random.below(left) < missing {
                carries.push(sku as u16);
                missing -= 1;
            }
        }
        carries.into()
    }

    pub(crate) fn market_type(&self) -> &'static str {
        if self.is_rural { "RURAL" } else { "URBAN" }
    }

    pub(crate) fn orders_on(&self, weekday: u32) -> bool {
        self.kind != CustomerKind::EquipmentOwner && self.order_weekdays >> weekday & 1 == 1
    }

    pub(crate) fn route_id(&self) -> String {
        format!(
            "R{:03}-{}",
            self.territory + 1,
            self.order_weekdays.trailing_zeros() + 1
        )
    }
}
