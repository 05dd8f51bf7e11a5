//! A folder of reference tables: no panic; read alike each time, or refused with the name of a file.

use std::fs;

use anyhow::Result;
use jobs::reference::ReferenceData;
use rand::Rng;
use tempfile::TempDir;

use crate::csv_table::Table;
use crate::mutate::{self, Random};
use crate::target::{Input, Outcome, Part, Target};

/// Tables that nothing is wrong with.
const TABLES: [(&str, &str); 8] = [
    (
        "ref_customer",
        "customer_id,customer_kind,status,class_id,territory_id,area_unit_id,region_code,is_sample,order_weekdays,valid_from,valid_to\n\
         C1,RETAILER,ACTIVE,A,T1,U1,310000,true,MON|THU,2026-01-01T00:00:00Z,2026-02-01T00:00:00+08:00\n\
         C1,RETAILER,ACTIVE,B,T1,U1,310000,true,MON,2026-02-01T00:00:00Z,\n\
         C2,RETAILER,ACTIVE,A,T2,U1,310000,false,,,",
    ),
    (
        "ref_sku",
        "sku_id,brand_id,price_band,is_key_brand,launch_date,valid_from,valid_to\n\
         S1,B1,P1,true,2020-01-01,2025-01-01T00:00:00Z,\n\
         S2,B1,P2,false,,,",
    ),
    (
        "ref_territory",
        "territory_id,area_unit_id,region_code,client_manager_id,valid_from,valid_to\n\
         T1,U1,310000,E1,,\n\
         T2,U1,310000,E2,,",
    ),
    (
        "ref_staff",
        "staff_id,role,unit_id,manager_id,territory_ids,valid_from,valid_to\n\
         E1,CLIENT_MANAGER,U1,E2,T1|T2,,\n\
         E2,MARKET_MANAGER,U1,,,2026-01-01T00:00:00Z,",
    ),
    (
        "ref_unit",
        "unit_id,unit_kind,parent_id,open_time,close_time,valid_from,valid_to\n\
         U1,AREA,U2,08:00,17:30,,\n\
         U2,CALL_CENTRE,,00:00,24:00,,",
    ),
    (
        "ref_sample_basket",
        "territory_id,sku_id,valid_from,valid_to\nALL,S1,,\nT1,S2,2026-01-01T00:00:00Z,",
    ),
    (
        "ref_allocation_plan",
        "plan_id,sku_id,class_id,area_unit_id,cap_qty,supply_qty,valid_from,valid_to\n\
         AP1,S1,A,ALL,20,1000,,\n\
         AP1,S2,ALL,U1,,,2026-01-01T00:00:00Z,",
    ),
    (
        "ref_calendar",
        "date,day_kind,name,valid_from,valid_to\n2026-01-01,HOLIDAY,New Year,,\n2026-01-04,WORKING_DAY,,,",
    ),
];

/// See the module's page.
pub(crate) struct Reference;

impl Target for Reference {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        let mut files = Vec::new();
        for (name, text) in TABLES {
            if random.random_bool(0.3) {
                continue;
            }
            let mut table = Table::new(text);
            if random.random_bool(0.5) {
                table.damage(random);
            }
            // What Parquet cannot hold, such as a column twice, is left to CSV.
            let parquet = random
                .random_bool(0.4)
                .then(|| table.to_parquet(random).ok())
                .flatten();
            let (ending, mut bytes) = match parquet {
                Some(bytes) => ("parquet", bytes),
                None => ("csv", table.to_csv()),
            };
            if random.random_bool(0.2) {
                let tokens = [
                    "\"",
                    ",",
                    "\r\n",
                    "\u{feff}",
                    "\"\"\"",
                    "PAR1",
                    "valid_from",
                ];
                mutate::bytes(&mut bytes, &tokens, random);
            }
            files.push(Part::new(format!("{name}.{ending}"), bytes));
        }
        Ok(files)
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        let folder = TempDir::new()?;
        for part in input {
            fs::write(folder.path().join(&part.name), &part.bytes)?;
        }
        let (first, again) = (
            ReferenceData::load(folder.path()),
            ReferenceData::load(folder.path()),
        );
        Ok(match (first, again) {
            (Ok(first), Ok(again)) if first.version() == again.version() => {
                // It has to look at every row.
                first.inconsistencies();
                let tables: Vec<_> = first.tables().map(|(name, _)| name).collect();
                if tables.len() == input.len() {
                    Outcome::Accepted
                } else {
                    Outcome::Broken(format!("of {} files only {tables:?}", input.len()))
                }
            }
            (Err(first), Err(again)) if first.to_string() == again.to_string() => {
                let is_named = |problem: &jobs::error::Problem| {
                    let text = problem.to_string();
                    input.iter().any(|part| text.starts_with(&part.name))
                };
                if !first.problems().is_empty() && first.problems().iter().all(is_named) {
                    Outcome::Refused
                } else {
                    Outcome::Broken(format!("an error names no file: {first}"))
                }
            }
            _ => Outcome::Broken("one folder is read in two ways".to_owned()),
        })
    }

    /// The Parquet reader panics at some damaged pages.
    fn may_catch_panics(&self) -> bool {
        true
    }
}
