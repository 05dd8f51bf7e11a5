//! Allocation of constrained SKUs.

use schemas::time::TimestampMs;

use crate::plan::Plan;
use crate::random::{RandomGenerator, Stream};
use crate::world::{CLASS_CAP, Customer, SupplyStatus, World};

/// Decides how much orders are allocated.
pub(super) struct Supply {
    /// ISO week that `fill_permille` is for.
    week: Option<u32>,
    /// By SKU: the share of demand that this week's supply covers.
    fill_permille: Vec<i64>,
    random: RandomGenerator,
}

impl Supply {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            week: None,
            fill_permille: Vec::new(),
            random: RandomGenerator::new(plan.seed, Stream::Supply),
        }
    }

    /// Draws the supply of a week when it begins.
    pub(super) fn open_week(&mut self, world: &World, week: u32) {
        if self.week == Some(week) {
            return;
        }
        self.week = Some(week);
        self.fill_permille = world
            .skus
            .iter()
            .map(|sku| match sku.supply {
                SupplyStatus::Constrained => self.random.between(450, 850),
                // Sometimes an unconstrained SKU is short, too.
                _ if self.random.permille(30) => self.random.between(600, 950),
                _ => 1_000,
            })
            .collect();
    }

    /// The allocated quantity for a requested one.
    pub(super) fn allocate(
        &mut self,
        world: &World,
        customer: &Customer,
        sku: u16,
        requested: i64,
        now: TimestampMs,
    ) -> i64 {
        if let Some((short, period)) = world.anomalies.short_sku
            && short == sku
            && period.contains(now)
        {
            return 0;
        }
        let fill = self
            .fill_permille
            .get(usize::from(sku))
            .copied()
            .unwrap_or(1_000);
        if fill == 1_000 {
            return requested;
        }
        let covered = self.random.share_of(requested, fill);
        match world.skus[usize::from(sku)].supply {
            SupplyStatus::Constrained => covered.min(CLASS_CAP[usize::from(customer.class)]),
            _ => covered,
        }
    }
}
