//! The price topic: list prices, promotions, and the prices that retailers charge.

use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::{DurationMs, TimestampMs};

use super::arrivals::{Envelope, Subject};
use super::context::{SimulationContext, about_customer};
use super::plan::Plan;
use super::random::{RandomGenerator, Stream};
use super::world::{Customer, ListPrice, scaled_price};

/// Observations per mille: with a second one of the buy-back price; mistyped and corrected; and in fen instead of yuan, or per pack
/// instead of per carton (not corrected: to be quarantined).
const BUYBACK: u32 = 40;
const CORRECTED: u32 = 4;
const OUTLIER: u32 = 2;
/// SKUs of a retailer whose price is observed in a week, per mille.
const OBSERVED: u32 = 900;
/// Prices of the squeezed retailer, per mille of wholesale: a gross margin of 5 %.
const SQUEEZED_MARKUP: i64 = 1_053;

/// Announces list prices and promotions, and posts observed prices.
pub(crate) struct PriceDesk {
    random: RandomGenerator,
    promotions: u32,
}

/// One visit during which prices are collected.
pub(crate) struct Collection<'c> {
    pub collection_id: &'c str,
    pub method: &'static str,
    pub index: u32,
}

impl PriceDesk {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Prices),
            promotions: 0,
        }
    }

    /// Posts the day's announcements.
    pub(crate) fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        let day = context.day;
        for price in context.world.price_book.announced(day.start, day.end) {
            announce(context, price);
        }
        if day.weekday == 0 {
            self.promote(context);
        }
    }

    fn promote(&mut self, context: &mut SimulationContext<'_, '_>) {
        let sku = self.random.below(context.world.skus.len() as u32) as usize;
        let start = context.day.start + DurationMs::from_days(2);
        self.promotions += 1;
        let promotion_id = format!("PR{:04}", self.promotions);
        let sku_id = &context.world.skus[sku].sku_id;
        let envelope = of_sku("price.promotion_set", context.day.at(10, 0), sku_id);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("sku_id", sku_id)
                .text("promotion_id", &promotion_id)
                .instant("start", start)
                .instant("end", start + DurationMs::from_days(5));
        });
    }

    /// Posts the prices of a retailer's SKUs, one observation every few seconds from `context.now` on.
    pub(crate) fn observe(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        collection: &Collection<'_>,
    ) {
        let customer = context.customer(collection.index);
        let squeezed = context.world.anomalies.squeezed == Some(collection.index);
        let area = context.world.territory(customer).area;
        let mut seen_at = context.now;
        for sku in &customer.carries {
            seen_at += DurationMs::from_secs(self.random.between(5, 25));
            if !squeezed && !self.random.permille(OBSERVED) {
                continue;
            }
            let listed = context.world.price_book.in_force(*sku, area, seen_at);
            let selling = if squeezed {
                scaled_price(listed.wholesale, SQUEEZED_MARKUP)
            } else {
                let spread = self.random.between(-4, 4);
                scaled_price(
                    listed.suggested,
                    1_000 + customer.price_bias_permille + spread,
                )
            };
            self.post_observations(context, collection, *sku, listed, selling, seen_at);
        }
        self.check_tags(context, customer, seen_at);
    }

    fn post_observations(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        collection: &Collection<'_>,
        sku: u16,
        listed: &ListPrice,
        selling: Fen,
        seen_at: TimestampMs,
    ) {
        let mut post = |price, basis, corrects| {
            let customer = context.customer(collection.index);
            let mut envelope = about_customer(
                Topic::Prices,
                "price.observed",
                seen_at,
                "FIELD_APP",
                customer,
            );
            envelope.actor_role = "CLIENT_MANAGER";
            envelope.corrects = corrects;
            let sku_id = &context.world.skus[usize::from(sku)].sku_id;
            let week = &context.day.iso_week;
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("collection_id", collection.collection_id)
                    .text("sku_id", sku_id)
                    .money("price_fen", price)
                    .instant("observed_at", seen_at)
                    .text("iso_week", week)
                    .text("method", collection.method)
                    .text("price_basis", basis)
                    .flag("on_promotion", false);
            })
        };
        match self.random.below(1_000) {
            roll if roll < CORRECTED => {
                let wrong = post(scaled_price(selling, 1_200), "SELLING", None);
                post(selling, "SELLING", Some(wrong));
            }
            roll if roll < CORRECTED + OUTLIER => {
                let in_wrong_unit = if roll % 2 == 0 {
                    selling.saturating_mul(100)
                } else {
                    Fen::from_fen(selling.as_fen() / 10)
                };
                post(in_wrong_unit, "SELLING", None);
            }
            roll => {
                post(selling, "SELLING", None);
                if roll >= 1_000 - BUYBACK {
                    post(scaled_price(listed.wholesale, 1_010), "BUYBACK", None);
                }
            }
        }
    }

    fn check_tags(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        seen_at: TimestampMs,
    ) {
        let sku = self.random.pick(&customer.carries);
        let area = context.world.territory(customer).area;
        let price = context
            .world
            .price_book
            .in_force(sku, area, seen_at)
            .suggested;
        let (present, honest) = (self.random.permille(970), self.random.permille(980));
        let mut envelope = about_customer(
            Topic::Prices,
            "price.tag_checked",
            seen_at,
            "FIELD_APP",
            customer,
        );
        envelope.actor_role = "CLIENT_MANAGER";
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("sku_id", &context.world.skus[usize::from(sku)].sku_id)
                .flag("tag_present", present);
            if present {
                let till = if honest {
                    price
                } else {
                    scaled_price(price, 1_030)
                };
                payload
                    .money("tag_price_fen", price)
                    .money("till_price_fen", till);
            }
        });
    }
}

/// Posts both list prices of a SKU.
fn announce(context: &mut SimulationContext<'_, '_>, price: &ListPrice) {
    let sku_id = &context.world.skus[usize::from(price.sku)].sku_id;
    let region = price.area.map_or("ALL", |area| {
        &context.world.organisation.areas[area as usize].region_code
    });
    for (price_type, amount) in [
        ("WHOLESALE", price.wholesale),
        ("SUGGESTED_RETAIL", price.suggested),
    ] {
        let envelope = of_sku("price.list_set", price.announced_at, sku_id);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("sku_id", sku_id)
                .text("region_code", region)
                .text("price_type", price_type)
                .money("price_fen", amount)
                .instant("valid_from", price.valid_from);
        });
    }
}

fn of_sku<'e>(event_type: &'static str, occurred_at: TimestampMs, sku_id: &'e str) -> Envelope<'e> {
    Envelope {
        topic: Topic::Prices,
        event_type,
        occurred_at,
        source: "PRICE_SYSTEM",
        subject: Subject::Sku(sku_id),
        actor_id: None,
        actor_role: "ORDER_SECTION",
        unit_id: Some("U-ORD"),
        corrects: None,
    }
}
