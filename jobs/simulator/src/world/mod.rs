//! The distributor and its customers: everything that is fixed before the first event.
//!
//! A world is a pure function of the plan. Its customers, goods, units and staff are also written to `ref/`, except for one
//! customer that reference data do not contain.

mod anomalies;
mod customer;
mod goods;
mod organisation;
mod price_book;

pub(crate) use anomalies::{Anomalies, Period};
pub(crate) use customer::{Customer, CustomerKind, Move};
pub(crate) use goods::{BASKET, Sku, SupplyStatus, scaled_price};
pub(crate) use organisation::{Area, CALL_CENTRE, Organisation, Territory, central_units};
pub(crate) use price_book::{ListPrice, PriceBook};

use super::days::Days;
use super::plan::Plan;
use super::random::{RandomGenerator, Stream};

/// Retailer classes, best first.
pub(crate) const CLASSES: [&str; 4] = ["A", "B", "C", "D"];

/// Most cartons of a constrained SKU in an order, by class.
pub(crate) const CLASS_CAP: [i64; 4] = [20, 12, 8, 5];

/// Cartons a retailer of each class sells of an average SKU in a week.
const WEEKLY_RATE: [i64; 4] = [18, 10, 6, 3];

/// Everything fixed before the first event.
pub(crate) struct World {
    pub organisation: Organisation,
    pub skus: Vec<Sku>,
    pub price_book: PriceBook,
    pub customers: Vec<Customer>,
    pub anomalies: Anomalies,
}

impl World {
    pub(crate) fn build(plan: &Plan, days: &Days) -> Self {
        let mut random = RandomGenerator::new(plan.seed, Stream::World);
        let (first, last) = (days.first(), days.last());
        let organisation = Organisation::of(plan.customers);
        let skus = goods::stock_list(plan.customers, &mut random);
        let price_book = PriceBook::draw(&skus, &organisation, &first, plan.days, &mut random);
        let mut customers: Vec<_> = (0..plan.customers)
            .map(|index| Customer::draw(index, &organisation, &skus, plan.days, &mut random))
            .collect();
        let anomalies = Anomalies::place(&customers, &first, &last);
        if let Some(squeezed) = anomalies.squeezed {
            // Only SKUs that others in the territory carry too: its prices must not be the territory's median (M06).
            customers[squeezed as usize].carries = (0..BASKET).collect();
        }
        Self {
            organisation,
            skus,
            price_book,
            customers,
            anomalies,
        }
    }

    /// Cartons of a SKU that a customer sells in an average week; at least 1.
    pub(crate) fn weekly_rate(&self, customer: &Customer, sku: u16) -> i64 {
        let by_class = WEEKLY_RATE[usize::from(customer.class)];
        let popular = by_class * self.skus[usize::from(sku)].popularity_permille;
        (popular * customer.size_permille / 1_000_000).max(1)
    }

    pub(crate) fn territory(&self, customer: &Customer) -> &Territory {
        &self.organisation.territories[customer.territory as usize]
    }

    pub(crate) fn area(&self, customer: &Customer) -> &Area {
        &self.organisation.areas[self.territory(customer).area as usize]
    }
}
