//! Stock on the shelves of sample retailers: deliveries in, sales and returns out.

use schemas::time::TimestampMs;

use super::plan::Plan;
use super::random::{RandomGenerator, Stream, scaled};
use super::world::{Customer, World};

/// Days of sales in stock on the first day. The SKU that will run out starts lower.
const OPENING_COVER_DAYS: (i64, i64) = (7, 14);
const SHORT_OPENING_COVER_DAYS: (i64, i64) = (3, 6);

/// One SKU on one retailer's shelf; quantities in cartons.
#[derive(Clone, Debug)]
pub(crate) struct ShelfItem {
    pub sku: u16,
    pub stock_qty: i64,
    /// Ordered and neither delivered nor cancelled.
    pub awaited_qty: i64,
    pub weekly_rate: i64,
    /// Since the last count.
    pub sold_qty: i64,
    pub empty_days: i64,
    /// The last count: its instant and the true stock.
    pub counted: Option<(TimestampMs, i64)>,
}

/// The odd millisecond at or after `at`. Stock is counted in odd milliseconds and moved in even ones, so that the order of a count
/// and a movement is never ambiguous.
pub(crate) fn instant_of_count(at: TimestampMs) -> TimestampMs {
    TimestampMs::from_ms(at.as_ms() | 1)
}

/// The even millisecond at or before `at`; see [`instant_of_count`].
pub(crate) fn instant_of_movement(at: TimestampMs) -> TimestampMs {
    TimestampMs::from_ms(at.as_ms() & !1)
}

/// The shelf of one sample retailer.
pub(crate) struct Shelf {
    pub items: Vec<ShelfItem>,
}

impl Shelf {
    pub(crate) fn item_mut(&mut self, sku: u16) -> Option<&mut ShelfItem> {
        self.items.iter_mut().find(|item| item.sku == sku)
    }
}

/// The shelves of all sample retailers.
pub(crate) struct Shelves {
    shelves: Vec<Shelf>,
    /// By customer: index into `shelves`.
    of_customer: Vec<Option<u32>>,
    random: RandomGenerator,
}

impl Shelves {
    pub(crate) fn new(plan: &Plan, world: &World) -> Self {
        let mut random = RandomGenerator::new(plan.seed, Stream::Shops);
        let mut of_customer = vec![None; world.customers.len()];
        let mut shelves = Vec::new();
        for (index, customer) in world.customers.iter().enumerate() {
            if !customer.is_sample {
                continue;
            }
            of_customer[index] = Some(shelves.len() as u32);
            let items = customer
                .carries
                .iter()
                .map(|sku| Self::opening_stock(world, customer, *sku, &mut random))
                .collect();
            shelves.push(Shelf { items });
        }
        Self {
            shelves,
            of_customer,
            random,
        }
    }

    fn opening_stock(
        world: &World,
        customer: &Customer,
        sku: u16,
        random: &mut RandomGenerator,
    ) -> ShelfItem {
        let runs_out = world
            .anomalies
            .short_sku
            .is_some_and(|(short, _)| short == sku);
        let (least, most) = if runs_out {
            SHORT_OPENING_COVER_DAYS
        } else {
            OPENING_COVER_DAYS
        };
        let weekly_rate = world.weekly_rate(customer, sku);
        ShelfItem {
            sku,
            stock_qty: weekly_rate * random.between(least, most) / 7,
            awaited_qty: 0,
            weekly_rate,
            sold_qty: 0,
            empty_days: 0,
            counted: None,
        }
    }

    pub(crate) fn of(&mut self, customer: u32) -> Option<&mut Shelf> {
        let index = self.of_customer[customer as usize]?;
        self.shelves.get_mut(index as usize)
    }

    /// Books the sales of a day, all at closing time.
    pub(crate) fn close(&mut self, demand_permille: i64) {
        for item in self.shelves.iter_mut().flat_map(|shelf| &mut shelf.items) {
            let day = self
                .random
                .about(scaled(item.weekly_rate * 1_000, demand_permille), 400)
                / 7;
            let wanted = self.random.share_of(day, 1);
            let sold = wanted.min(item.stock_qty);
            item.stock_qty -= sold;
            item.sold_qty += sold;
            item.empty_days += i64::from(item.stock_qty == 0);
        }
    }
}
