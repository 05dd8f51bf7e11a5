//! Everything that leaves Vitrine beside its tables: alerts to webhooks and their topic, the demand feed.

mod alerts;
mod control;
mod demand;
pub(crate) mod receiver;
mod records;
mod refused;
mod switched;
mod transition;

use std::path::Path;

use tests::events::Events;

/// Two weeks of 150 retailers: long enough for the planted troubles of margin and complaint desk.
fn fortnight(folder: &Path) -> Events {
    let args = ["--days", "14", "--customers", "150", "--seed", "5"];
    println!("vitrine simulate {}", args.join(" "));
    Events::simulate(folder.join("events"), &args).unwrap()
}
