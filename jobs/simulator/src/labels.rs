//! Labels of planted anomalies, for tests to look for.

use super::truth::Anomaly;
use super::world::{CALL_CENTRE, Period, World};

/// The labels of a world's planted anomalies.
pub(crate) fn of(world: &World) -> Vec<Anomaly> {
    let planted = &world.anomalies;
    let label =
        |kind, subjects: Vec<(&'static str, String)>, period: Period, expected_rule| Anomaly {
            kind,
            subjects: subjects.into_iter().collect(),
            from: period.from,
            to: period.to,
            expected_rule,
        };
    let mut labels = Vec::new();
    if let Some(index) = planted.squeezed {
        let customer = &world.customers[index as usize];
        labels.push(label(
            "margin_squeeze",
            vec![
                ("customer_id", customer.customer_id.to_string()),
                (
                    "territory_id",
                    world.territory(customer).territory_id.clone(),
                ),
            ],
            planted.run,
            "A01",
        ));
    }
    if let Some(period) = planted.silent_desk {
        labels.push(label(
            "silent_complaint_desk",
            vec![("unit_id", CALL_CENTRE.to_owned())],
            period,
            "A15",
        ));
    }
    if let Some((area, period)) = planted.dissatisfied_area {
        let unit_id = world.organisation.areas[area as usize]
            .service_unit_id
            .clone();
        labels.push(label(
            "satisfaction_drop",
            vec![("unit_id", unit_id)],
            period,
            "A27",
        ));
    }
    if let Some((sku, period)) = planted.short_sku {
        let sku_id = world.skus[usize::from(sku)].sku_id.clone();
        labels.push(label("stock_out", vec![("sku_id", sku_id)], period, "A31"));
    }
    labels
}
