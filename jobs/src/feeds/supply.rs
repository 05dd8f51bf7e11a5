//! The flag `censored` of days without a counted order (K27): nobody says for which class demand was missing.
//!
//! Such a row is censored where the SKU is CONSTRAINED at the end of the day (its last ms, K8) and no plan of it is in force then for the
//! area of the territory, whatever the class. A plan for one class alone is enough: those customers could have ordered, and did not.
//! A row with counted orders goes by their classes and caps (`facts.order_lines.censored`).

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::error::{Error, Result};
use pipeline::publisher::{FlagStore, SeriesFlags};
use pipeline::time::{Day, Zone};
use schemas::id::{SEPARATOR, unescaped};
use schemas::time::DurationMs;

use crate::reference::{ReferenceArchive, ReferenceData};

/// Flags of archived reference data.
pub(super) struct SupplyFlagStore {
    pub zone: Zone,
    pub archive: Arc<ReferenceArchive>,
}

#[async_trait]
impl FlagStore for SupplyFlagStore {
    async fn flags(&self, reference: &str) -> Result<Arc<dyn SeriesFlags>> {
        let data = self.archive.read(reference).await.map_err(|error| {
            let message = format!("the demand feed needs reference data of version={reference}");
            Error::new(error.kind(), message).caused_by(error)
        })?;
        let zone = self.zone;
        Ok(Arc::new(SupplyFlags { zone, data }))
    }
}

/// Flags of one version of the reference data.
struct SupplyFlags {
    zone: Zone,
    data: Arc<ReferenceData>,
}

impl std::fmt::Debug for SupplyFlags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SupplyFlags({})", self.version())
    }
}

impl SeriesFlags for SupplyFlags {
    fn version(&self) -> &str {
        self.data.supply_digest()
    }

    fn is_set(&self, series: &str, day: Day) -> bool {
        let Some((sku_id, territory_id)) = series.split_once(SEPARATOR) else {
            return false;
        };
        let day_end = self.zone.start_of(day.plus(1)) - DurationMs::from_ms(1);
        self.data
            .is_supply_unplanned(&unescaped(sku_id), &unescaped(territory_id), day_end)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::reference::fixture::reference_data;

    const SKUS: &str = "sku_id,supply_status,valid_from,valid_to\n\
                        S|1,NORMAL,,2026-01-05T12:00:00Z\n\
                        S|1,CONSTRAINED,2026-01-05T12:00:00Z,\n\
                        S2,CONSTRAINED,,\n\
                        S3,NORMAL,,\n";
    const TERRITORIES: &str =
        "territory_id,area_unit_id,valid_from,valid_to\nT1,U1,,\nT2,U2,,\nT3,,,\n";

    async fn flags(files: &[(&str, &str)]) -> Arc<dyn SeriesFlags> {
        let archive = Arc::new(ReferenceArchive::new(Arc::new(InMemory::new())));
        let data = Arc::new(reference_data(files));
        archive.add(&data).await.unwrap();
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let store = SupplyFlagStore { zone, archive };
        store.flags(data.version()).await.unwrap()
    }

    async fn with_plans(plans: &str) -> Arc<dyn SeriesFlags> {
        let plans =
            format!("sku_id,class_id,area_unit_id,cap_qty,valid_from,valid_to,plan_id\n{plans}");
        flags(&[
            ("ref_sku.csv", SKUS),
            ("ref_territory.csv", TERRITORIES),
            ("ref_allocation_plan.csv", &plans),
        ])
        .await
    }

    fn day(date: &str) -> Day {
        Day::from_date(date.parse().unwrap())
    }

    #[tokio::test]
    async fn k27_a_day_without_orders_is_censored_where_a_constrained_sku_has_no_plan() {
        let none = flags(&[("ref_sku.csv", SKUS)]).await;
        let monday = day("2026-01-05");
        // Constrained from 20:00 local time on: at the end of the day.
        assert!(none.is_set("S%7C1|T1", monday));
        assert!(!none.is_set("S%7C1|T1", monday.plus(-1)));
        assert!(none.is_set("S2|T1", monday) && none.is_set("S2|UNKNOWN", monday));
        assert!(!none.is_set("S3|T1", monday) && !none.is_set("S4|T1", monday));
    }

    #[tokio::test]
    async fn k27_a_plan_for_any_class_of_the_area_is_enough() {
        let monday = day("2026-01-05");
        for (plan, censored) in [
            ("S2,ALL,ALL,1,,,", [false, false, false, false]),
            ("S2,A,ALL,,,,", [false, false, false, false]),
            ("S2,A,U1,1,,,", [false, true, true, true]),
            ("S2,ALL,U2,1,,,", [true, false, true, true]),
            ("S2,ALL,UNKNOWN,1,,,", [true, true, true, true]),
            ("S3,ALL,ALL,1,,,", [true, true, true, true]),
            // Begins with the day after, ended with the day before.
            ("S2,ALL,ALL,1,2026-01-05T16:00:00Z,,", [true; 4]),
            ("S2,ALL,ALL,1,,2026-01-05T15:59:59Z,", [true; 4]),
            ("S2,ALL,ALL,1,2026-01-05T15:59:59Z,,", [false; 4]),
        ] {
            let flags = with_plans(plan).await;
            let found =
                ["T1", "T2", "T3", "T9"].map(|of| flags.is_set(&format!("S2|{of}"), monday));
            assert_eq!(found, censored, "{plan}");
        }
    }

    #[tokio::test]
    async fn flags_have_the_same_version_unless_what_they_read_changes() {
        let of = async |plans: &str| with_plans(plans).await.version().to_owned();
        let one = of("S2,ALL,ALL,1,,,").await;
        assert_eq!(of("S2,ALL,ALL,2,,,AP-1").await, one, "caps do not matter");
        assert_ne!(of("S2,A,ALL,1,,,").await, one);
        assert_ne!(of("S2,ALL,ALL,1,,2026-01-05T16:00:00Z,").await, one);
        let empty = flags(&[]).await;
        assert_ne!(empty.version(), one);
        let customers = ("ref_customer.csv", "customer_id\nC1\n");
        assert_eq!(flags(&[customers]).await.version(), empty.version());
    }
}
