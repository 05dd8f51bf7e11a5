//! The price topic: list prices, promotions, and what retailers really charge.

use super::arrivals::{Envelope, Subject};
use super::context::{SimulationContext, about_customer};
use super::days::{DAY_MS, SECOND_MS};
use super::plan::{Plan, SimTopic};
use super::random::{RandomGenerator, Stream, scaled};
use super::world::{Customer, ListPrice};

/// Observations per mille: on shelves of the other kind, keyed wrongly and corrected, and in fen for yuan or packs for
/// cartons (uncorrected; quarantine is for them).
const BUYBACK: u32 = 40;
const CORRECTED: u32 = 4;
const OUTLIER: u32 = 2;
/// SKUs on a shelf whose price is looked at in a week, per mille.
const OBSERVED: u32 = 900;
/// What the squeezed retailer charges over wholesale, per mille: a gross margin of 5 %.
const SQUEEZED_MARKUP: i64 = 1_053;

/// Announces list prices and reads price tags.
pub(super) struct PriceDesk {
    random: RandomGenerator,
    promotions: u32,
}

/// One visit in which prices are collected.
pub(super) struct Collection<'c> {
    pub collection_id: &'c str,
    pub method: &'static str,
    pub index: u32,
}

impl PriceDesk {
    pub fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Prices),
            promotions: 0,
        }
    }

    /// Posts the day's announcements.
    pub fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        let day = context.day;
        for price in context.world.price_book.announced(day.start_ms, day.end_ms) {
            announce(context, price);
        }
        if day.weekday == 0 {
            self.promote(context);
        }
    }

    fn promote(&mut self, context: &mut SimulationContext<'_, '_>) {
        let sku = self.random.below(context.world.skus.len() as u32) as usize;
        let start = context.day.start_ms + 2 * DAY_MS;
        self.promotions += 1;
        let promotion_id = format!("PR{:04}", self.promotions);
        let sku_id = &context.world.skus[sku].sku_id;
        let envelope = of_sku("price.promotion_set", context.day.at(10, 0), sku_id);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("sku_id", sku_id)
                .text("promotion_id", &promotion_id)
                .int("start", start)
                .int("end", start + 5 * DAY_MS);
        });
    }

    /// Posts what a retailer charges for what it carries, one look every few seconds from `context.now` on.
    pub fn observe(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        collection: &Collection<'_>,
    ) {
        let customer = context.customer(collection.index);
        let squeezed = context.world.anomalies.squeezed == Some(collection.index);
        let area = context.world.territory(customer).area;
        let mut seen_at = context.now;
        for sku in &customer.carries {
            seen_at += self.random.between(5, 25) * SECOND_MS;
            if !squeezed && !self.random.permille(OBSERVED) {
                continue;
            }
            let listed = context.world.price_book.in_force(*sku, area, seen_at);
            let selling = if squeezed {
                scaled(listed.wholesale_fen, SQUEEZED_MARKUP)
            } else {
                let spread = self.random.between(-4, 4);
                scaled(
                    listed.suggested_fen,
                    1_000 + customer.price_bias_permille + spread,
                )
            };
            self.look(context, collection, *sku, listed, selling, seen_at);
        }
        self.check_tags(context, customer, seen_at);
    }

    fn look(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        collection: &Collection<'_>,
        sku: u16,
        listed: &ListPrice,
        selling_fen: i64,
        seen_at: i64,
    ) {
        let mut post = |price_fen, basis, corrects| {
            let customer = context.customer(collection.index);
            let mut envelope = about_customer(
                SimTopic::Prices,
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
                    .int("price_fen", price_fen)
                    .int("observed_at", seen_at)
                    .text("iso_week", week)
                    .text("method", collection.method)
                    .text("price_basis", basis)
                    .flag("on_promotion", false);
            })
        };
        match self.random.below(1_000) {
            roll if roll < CORRECTED => {
                let wrong = post(scaled(selling_fen, 1_200), "SELLING", None);
                post(selling_fen, "SELLING", Some(wrong));
            }
            roll if roll < CORRECTED + OUTLIER => {
                let mixed_up = if roll % 2 == 0 {
                    selling_fen * 100
                } else {
                    selling_fen / 10
                };
                post(mixed_up, "SELLING", None);
            }
            roll => {
                post(selling_fen, "SELLING", None);
                if roll >= 1_000 - BUYBACK {
                    post(scaled(listed.wholesale_fen, 1_010), "BUYBACK", None);
                }
            }
        }
    }

    fn check_tags(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        seen_at: i64,
    ) {
        let sku = self.random.pick(&customer.carries);
        let area = context.world.territory(customer).area;
        let price = context
            .world
            .price_book
            .in_force(sku, area, seen_at)
            .suggested_fen;
        let (present, honest) = (self.random.permille(970), self.random.permille(980));
        let mut envelope = about_customer(
            SimTopic::Prices,
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
                let till = if honest { price } else { scaled(price, 1_030) };
                payload
                    .int("tag_price_fen", price)
                    .int("till_price_fen", till);
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
    for (price_type, price_fen) in [
        ("WHOLESALE", price.wholesale_fen),
        ("SUGGESTED_RETAIL", price.suggested_fen),
    ] {
        let envelope = of_sku("price.list_set", price.announced_at, sku_id);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("sku_id", sku_id)
                .text("region_code", region)
                .text("price_type", price_type)
                .int("price_fen", price_fen)
                .int("valid_from", price.valid_from);
        });
    }
}

fn of_sku<'e>(event_type: &'static str, occurred_at: i64, sku_id: &'e str) -> Envelope<'e> {
    Envelope {
        topic: SimTopic::Prices,
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
