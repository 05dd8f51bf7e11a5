//! Everything that leaves Vitrine beside its tables: alerts to webhooks and their topic, the demand feed.

mod alerts;
mod control;
mod demand;
pub(crate) mod receiver;
mod records;
mod refused;
mod switched;
mod transition;

use std::sync::OnceLock;

use tests::events::Events;

use crate::proof::SharedEvents;

/// Two weeks of 150 retailers: long enough for the planted troubles of margin and complaint desk.
fn fortnight() -> &'static Events {
    static SHARED: OnceLock<SharedEvents> = OnceLock::new();
    let args = ["--days", "14", "--customers", "150", "--seed", "5"];
    let shared = SHARED.get_or_init(|| SharedEvents::simulate("fortnight", &args));
    &shared.events
}
