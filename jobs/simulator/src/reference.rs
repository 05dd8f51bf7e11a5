//! `ref/*.csv` (contract 4): reference data of the simulated world.

use std::path::Path;

use chrono::SecondsFormat;
use schemas::time::{DurationMs, TimestampMs};

use super::days::Days;
use super::error::Error;
use super::plan::Plan;
use super::world::{
    BASKET, CLASS_CAP, CLASSES, Customer, Move, SupplyStatus, World, central_units,
};

/// Rows are valid from this long before the first day.
const VALID_BEFORE: DurationMs = DurationMs::from_days(365);

/// Writes all reference files of a plan's world into `dir`, which it creates.
pub fn write_reference(plan: &Plan, dir: &Path) -> Result<(), Error> {
    plan.validate()?;
    let days = Days::of(plan)?;
    ReferenceWriter {
        world: &World::build(plan, &days),
        dir,
        valid_from: rfc3339(days.first().start - VALID_BEFORE),
        days,
    }
    .write()
}

/// Writes the reference files of one world.
struct ReferenceWriter<'a> {
    days: Days,
    world: &'a World,
    dir: &'a Path,
    valid_from: String,
}

impl ReferenceWriter<'_> {
    fn write(&self) -> Result<(), Error> {
        std::fs::create_dir_all(self.dir).map_err(Error::write(self.dir))?;
        self.customers()?;
        self.skus()?;
        self.organisation()?;
        self.baskets()?;
        self.allocation_plans()
    }

    fn customers(&self) -> Result<(), Error> {
        let mut table = CsvTable::create(
            self.dir,
            "ref_customer",
            &[
                "customer_id",
                "customer_kind",
                "status",
                "class_id",
                "market_type",
                "business_type",
                "scale",
                "trade_area",
                "territory_id",
                "area_unit_id",
                "region_code",
                "route_id",
                "client_manager_id",
                "is_sample",
                "delivery_mode",
                "settlement_mode",
                "order_weekdays",
                "rural_station_id",
            ],
        )?;
        for customer in &self.world.customers {
            if customer.is_unlisted {
                continue;
            }
            let (class, territory) = (customer.class, customer.territory);
            match customer.moves {
                None => {
                    self.customer(&mut table, customer, class, territory, &self.valid_from, "")?
                }
                Some(change) => {
                    let (day, later_class, later_territory) = match change {
                        Move::Class { day, class } => (day, class, territory),
                        Move::Territory { day, territory } => (day, class, territory),
                    };
                    let at = rfc3339(self.days.day(day).start);
                    self.customer(
                        &mut table,
                        customer,
                        class,
                        territory,
                        &self.valid_from,
                        &at,
                    )?;
                    self.customer(&mut table, customer, later_class, later_territory, &at, "")?;
                }
            }
        }
        table.finish()
    }

    fn customer(
        &self,
        table: &mut CsvTable,
        customer: &Customer,
        class: u8,
        territory: u32,
        from: &str,
        to: &str,
    ) -> Result<(), Error> {
        let territory = &self.world.organisation.territories[territory as usize];
        let area = &self.world.organisation.areas[territory.area as usize];
        let weekdays = ["MON", "TUE", "WED", "THU", "FRI"]
            .iter()
            .zip(0..)
            .filter(|(_, weekday)| customer.orders_on(*weekday))
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join("|");
        let station = format!("RS-{}", territory.territory_id);
        table.row(
            &[
                &customer.customer_id,
                customer.kind.name(),
                "ACTIVE",
                CLASSES[usize::from(class)],
                customer.market_type(),
                customer.business_type,
                customer.scale,
                customer.trade_area,
                &territory.territory_id,
                &area.unit_id,
                &area.region_code,
                &customer.route_id(),
                &territory.client_manager_id,
                flag(customer.is_sample),
                customer.delivery_mode,
                customer.settlement,
                &weekdays,
                if customer.is_rural { &station } else { "" },
            ],
            from,
            to,
        )
    }

    fn skus(&self) -> Result<(), Error> {
        let mut table = CsvTable::create(
            self.dir,
            "ref_sku",
            &[
                "sku_id",
                "brand_id",
                "manufacturer_id",
                "product_line",
                "price_band",
                "supply_status",
                "is_key_brand",
                "base_unit",
                "launch_date",
            ],
        )?;
        for sku in &self.world.skus {
            table.row(
                &[
                    &sku.sku_id,
                    &sku.brand_id(),
                    &sku.manufacturer_id(),
                    "CIGARETTE",
                    sku.price_band(),
                    sku.supply.name(),
                    flag(sku.is_key_brand),
                    "CARTON",
                    "2020-01-01",
                ],
                &self.valid_from,
                "",
            )?;
        }
        table.finish()
    }

    fn organisation(&self) -> Result<(), Error> {
        let organisation = &self.world.organisation;
        let mut units = CsvTable::create(
            self.dir,
            "ref_unit",
            &[
                "unit_id",
                "unit_kind",
                "parent_id",
                "open_time",
                "close_time",
            ],
        )?;
        for (unit_id, kind, open, close) in central_units() {
            units.row(&[unit_id, kind, "", open, close], &self.valid_from, "")?;
        }
        for area in &organisation.areas {
            units.row(
                &[&area.unit_id, "AREA_MARKET_DEPT", "", "08:00", "17:30"],
                &self.valid_from,
                "",
            )?;
            units.row(
                &[
                    &area.service_unit_id,
                    "CUSTOMER_SERVICE",
                    &area.unit_id,
                    "08:00",
                    "17:30",
                ],
                &self.valid_from,
                "",
            )?;
        }
        units.finish()?;

        let mut territories = CsvTable::create(
            self.dir,
            "ref_territory",
            &[
                "territory_id",
                "area_unit_id",
                "region_code",
                "client_manager_id",
                "market_manager_id",
            ],
        )?;
        for territory in &organisation.territories {
            let area = &organisation.areas[territory.area as usize];
            territories.row(
                &[
                    &territory.territory_id,
                    &area.unit_id,
                    &area.region_code,
                    &territory.client_manager_id,
                    &area.market_manager_id,
                ],
                &self.valid_from,
                "",
            )?;
        }
        territories.finish()?;
        self.staff()
    }

    fn staff(&self) -> Result<(), Error> {
        let organisation = &self.world.organisation;
        let columns = ["staff_id", "role", "unit_id", "manager_id", "territory_ids"];
        let mut staff = CsvTable::create(self.dir, "ref_staff", &columns)?;
        for (index, area) in (0..).zip(&organisation.areas) {
            let territories: Vec<_> = organisation
                .territories
                .iter()
                .filter(|territory| territory.area == index)
                .collect();
            let ids: Vec<_> = territories
                .iter()
                .map(|territory| territory.territory_id.as_str())
                .collect();
            staff.row(
                &[
                    &area.market_manager_id,
                    "MARKET_MANAGER",
                    &area.unit_id,
                    "",
                    &ids.join("|"),
                ],
                &self.valid_from,
                "",
            )?;
            staff.row(
                &[
                    &area.key_account_specialist_id,
                    "KA_SPECIALIST",
                    "U-KA",
                    "",
                    &ids.join("|"),
                ],
                &self.valid_from,
                "",
            )?;
            for territory in territories {
                let row = [
                    territory.client_manager_id.as_str(),
                    "CLIENT_MANAGER",
                    &area.unit_id,
                    &area.market_manager_id,
                    &territory.territory_id,
                ];
                staff.row(&row, &self.valid_from, "")?;
            }
        }
        for agent in &organisation.agents {
            staff.row(&[agent, "CALL_AGENT", "U-CC", "", ""], &self.valid_from, "")?;
        }
        staff.finish()
    }

    fn baskets(&self) -> Result<(), Error> {
        let mut table =
            CsvTable::create(self.dir, "ref_sample_basket", &["territory_id", "sku_id"])?;
        for sku in &self.world.skus[..usize::from(BASKET)] {
            table.row(&["ALL", &sku.sku_id], &self.valid_from, "")?;
        }
        table.finish()
    }

    /// Caps of constrained SKUs by class. Every third of them has no plan: nobody wrote one yet.
    fn allocation_plans(&self) -> Result<(), Error> {
        let columns = [
            "plan_id",
            "sku_id",
            "class_id",
            "area_unit_id",
            "cap_qty",
            "supply_qty",
        ];
        let mut table = CsvTable::create(self.dir, "ref_allocation_plan", &columns)?;
        let skus = self.world.skus.iter();
        let constrained = skus.filter(|sku| sku.supply == SupplyStatus::Constrained);
        for (place, sku) in constrained.enumerate() {
            if place % 3 == 2 {
                continue;
            }
            let plan = format!("AP-{}", sku.sku_id);
            for (class, cap) in CLASSES.iter().zip(CLASS_CAP) {
                let cap = cap.to_string();
                let row = [plan.as_str(), &sku.sku_id, class, "ALL", &cap, ""];
                table.row(&row, &self.valid_from, "")?;
            }
        }
        table.finish()
    }
}

/// One CSV file; every row ends with its period of validity.
struct CsvTable {
    writer: csv::Writer<std::fs::File>,
    path: std::path::PathBuf,
}

impl CsvTable {
    fn create(dir: &Path, name: &str, columns: &[&str]) -> Result<Self, Error> {
        let path = dir.join(format!("{name}.csv"));
        let writer = csv::Writer::from_path(&path).map_err(Error::write(&path))?;
        let mut table = Self { writer, path };
        table.row(columns, "valid_from", "valid_to")?;
        Ok(table)
    }

    fn row(&mut self, fields: &[&str], from: &str, to: &str) -> Result<(), Error> {
        self.writer
            .write_record(fields.iter().chain(&[from, to]))
            .map_err(Error::write(&self.path))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.writer.flush().map_err(Error::write(&self.path))
    }
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn rfc3339(at: TimestampMs) -> String {
    at.to_datetime()
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}
