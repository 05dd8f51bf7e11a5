//! What limits supply: constrained SKUs, and allocation plans with their caps (K27).
//!
//! The most specific plan in force counts: that of the class in the area, else of the class in all areas, else of all classes in the
//! area, else of all classes in all areas. `UNKNOWN` is neither a class nor an area: only plans for ALL apply to it (compare K35).

use std::collections::{BTreeSet, HashMap};

use arrow::error::ArrowError;
use pipeline::columns::Columns;
use schemas::time::TimestampMs;
use sha2::{Digest, Sha256};

use super::UNKNOWN;
use super::archived::encode;
use super::customers::CustomerAt;
use super::reference_data::{LoadedTable, ReferenceData};
use super::schema::{ALL, ALLOCATION_PLAN, SKU, TERRITORY, VALID_FROM, VALID_TO};
use super::validity::composite_key;

/// The `supply_status` of a SKU whose supply is limited.
const CONSTRAINED: &str = "CONSTRAINED";

/// An allocation plan in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllocationPlan {
    /// The most that an order gets; `None`: the plan has no cap.
    pub(crate) cap_qty: Option<i64>,
}

/// What is looked up in the tables of one version.
#[derive(Default)]
pub(super) struct Supply {
    /// By row of `ref_allocation_plan`.
    caps: Vec<Option<i64>>,
    /// SKU → classes and areas for which it has plans.
    scopes: HashMap<String, BTreeSet<(String, String)>>,
    /// By row of `ref_sku`.
    is_constrained: Vec<bool>,
    /// By row of `ref_territory`; `None`: no area.
    areas: Vec<Option<String>>,
    /// Of everything that [`ReferenceData::is_supply_unplanned`] reads.
    digest: String,
}

impl Supply {
    /// What the tables of `data` say.
    pub(super) fn of(data: &ReferenceData) -> Result<Self, ArrowError> {
        let mut supply = Self::default();
        if let Some(plans) = data.table(ALLOCATION_PLAN) {
            supply.add_plans(plans)?;
        }
        if let Some(skus) = data.table(SKU) {
            let columns = Columns::of(&skus.batch);
            let status = columns.text("supply_status")?;
            let rows = 0..skus.batch.num_rows();
            supply.is_constrained = rows.map(|row| status.is(row, CONSTRAINED)).collect();
        }
        if let Some(territories) = data.table(TERRITORY) {
            let columns = Columns::of(&territories.batch);
            let area = columns.text("area_unit_id")?;
            let rows = 0..territories.batch.num_rows();
            supply.areas = rows.map(|row| area.get(row).map(str::to_owned)).collect();
        }
        supply.digest = digest(data)?;
        Ok(supply)
    }

    fn add_plans(&mut self, plans: &LoadedTable) -> Result<(), ArrowError> {
        let columns = Columns::of(&plans.batch);
        let sku_id = columns.text("sku_id")?;
        let class_id = columns.text("class_id")?;
        let area_unit_id = columns.text("area_unit_id")?;
        let cap_qty = columns.integer("cap_qty")?;
        for row in 0..plans.batch.num_rows() {
            self.caps.push(cap_qty.get(row));
            let scope = sku_id
                .get(row)
                .zip(class_id.get(row))
                .zip(area_unit_id.get(row));
            if let Some(((sku, class), area)) = scope {
                let scopes = self.scopes.entry(sku.to_owned()).or_default();
                scopes.insert((class.to_owned(), area.to_owned()));
            }
        }
        Ok(())
    }
}

/// A hash of the columns that decide whether supply is planned.
fn digest(data: &ReferenceData) -> Result<String, ArrowError> {
    let mut hash = Sha256::new();
    for (table, columns) in [
        (
            ALLOCATION_PLAN,
            &["sku_id", "class_id", "area_unit_id"] as &[&str],
        ),
        (SKU, &["sku_id", "supply_status"]),
        (TERRITORY, &["territory_id", "area_unit_id"]),
    ] {
        let Some(loaded) = data.table(table) else {
            continue;
        };
        let schema = loaded.batch.schema();
        let columns = columns.iter().chain(&[VALID_FROM, VALID_TO]);
        let places = columns.map(|column| schema.index_of(column));
        let read = loaded
            .batch
            .project(&places.collect::<Result<Vec<_>, _>>()?)?;
        hash.update(table);
        encode(&read, &mut hash)?;
    }
    Ok(hex::encode(hash.finalize()))
}

impl ReferenceData {
    /// Whether the SKU is CONSTRAINED at `at`.
    pub(crate) fn is_constrained(&self, sku_id: &str, at: TimestampMs) -> bool {
        let row = self
            .table(SKU)
            .and_then(|loaded| loaded.validity.row_at(sku_id, at));
        row.is_some_and(|row| self.supply.is_constrained[row])
    }

    /// The most specific plan of the SKU that is in force at `at` for a customer of this class in this area.
    pub(crate) fn allocation_plan(
        &self,
        sku_id: &str,
        (class_id, area_unit_id): (&str, &str),
        at: TimestampMs,
    ) -> Option<AllocationPlan> {
        let loaded = self.table(ALLOCATION_PLAN)?;
        if !self.supply.scopes.contains_key(sku_id) {
            return None;
        }
        let row = [
            (class_id, area_unit_id),
            (class_id, ALL),
            (ALL, area_unit_id),
            (ALL, ALL),
        ]
        .into_iter()
        .filter(|(class, area)| *class != UNKNOWN && *area != UNKNOWN)
        .find_map(|(class, area)| {
            let key = composite_key([sku_id, class, area]);
            loaded.validity.row_at(&key, at)
        })?;
        Some(AllocationPlan {
            cap_qty: self.supply.caps[row],
        })
    }

    /// Whether the SKU is CONSTRAINED at `at` and no plan of it is in force for the territory's area, whatever the class.
    pub(crate) fn is_supply_unplanned(
        &self,
        sku_id: &str,
        territory_id: &str,
        at: TimestampMs,
    ) -> bool {
        if !self.is_constrained(sku_id, at) {
            return false;
        }
        let (Some(loaded), Some(scopes)) =
            (self.table(ALLOCATION_PLAN), self.supply.scopes.get(sku_id))
        else {
            return true;
        };
        let own = self.area_of_territory(territory_id, at);
        !scopes.iter().any(|(class, area)| {
            let applies = area == ALL || (own == Some(area.as_str()) && area != UNKNOWN);
            let key = || composite_key([sku_id, class, area]);
            applies && class != UNKNOWN && loaded.validity.row_at(&key(), at).is_some()
        })
    }

    fn area_of_territory(&self, territory_id: &str, at: TimestampMs) -> Option<&str> {
        let row = self
            .table(TERRITORY)
            .and_then(|loaded| loaded.validity.row_at(territory_id, at))?;
        self.supply.areas[row].as_deref()
    }

    /// The area whose plans apply to a customer at `at`: that of its territory, else its own.
    pub(crate) fn supply_area<'r>(&'r self, customer: &'r CustomerAt, at: TimestampMs) -> &'r str {
        self.area_of_territory(&customer.territory_id, at)
            .unwrap_or(&customer.area_unit_id)
    }

    /// Equal texts: [`ReferenceData::is_supply_unplanned`] says the same, whatever it is asked.
    pub(crate) fn supply_digest(&self) -> &str {
        &self.supply.digest
    }
}
