//! `vitrine simulate`: a distributor that behaves like one.
//!
//! Retailers order in weekly cycles, are delivered with delay and short of what is short, sell what lies on their shelves,
//! are visited, counted and asked; they complain, and the desk meets its limits or does not. The same [`Plan`] gives the
//! same bytes: randomness comes from seeded streams, time from the plan, order from queues that break ties by age.
//!
//! ```text
//!  World ─────────────┐  who, what, where: fixed by the plan, also written to ref/
//!                     ▼
//!  Agenda ──▶ OrderDesk · FieldForce · ServiceDesk · PriceDesk ──▶ Outbox ──▶ (Dirtier) ──▶ Outlet ──▶ EventSink
//!    ▲  actions by time        │ act on shelves, post events        arrival order     offset, label
//!    └─────────────────────────┘
//! ```
//!
//! Memory holds the customers, the shelves of the sample ones, what is under way and, in a dirty run, the ids that may still
//! be repeated: a run of any length is written day by day.
//!
//! What it says beside the events: `truth/dirty.ndjson` (every record that must not be accepted, and why), `truth/anomalies.ndjson`
//! (planted troubles), `truth/sell_through.ndjson` (what was really sold between counts), `truth/summary.json` (totals).
//!
//! Readings chosen here:
//! * A clean run keeps within the bounds of disorder (contract 2): field applications sync within minutes. Devices without
//!   a network for hours belong to a dirty run.
//! * A correction (`corrects`) says again when the thing happened: same `occurred_at`, later `recorded_at`.
//! * What would happen after the last day does not; what was under way stays open.
//!
//! Start reading at [`Plan`], then [`generate`]. It does not simulate warehouses, tills, contracts or people's names.

mod agenda;
mod days;
mod dice;
pub mod dirty;
mod field;
mod labels;
mod letter;
mod orders;
mod outbox;
mod outlet;
mod payload;
mod plan;
mod prices;
mod reference;
mod scene;
mod service;
mod shelves;
mod truth;
mod verdict;
mod world;
mod write;

#[cfg(test)]
mod tests;

pub use plan::{EventSink, Plan, SimTopic, SimulateError, Summary};
pub use reference::write_reference;
pub use truth::{Anomaly, DirtyRecord, SoldInterval};
pub use write::{EventFiles, write_dir};

use agenda::{Action, Agenda};
use days::{Day, Days};
use field::FieldForce;
use orders::OrderDesk;
use outbox::Outbox;
use prices::PriceDesk;
use scene::Scene;
use service::ServiceDesk;
use shelves::Shelves;
use world::World;

/// Simulates a plan and gives its records to `sink` in the order in which they reach the logs.
///
/// # Errors
/// A plan without days, customers or partitions, or one that leaves the calendar; whatever the sink returns.
pub fn generate(plan: &Plan, sink: &mut dyn EventSink) -> Result<Summary, SimulateError> {
    plan.validate()?;
    let days = Days::of(plan)?;
    let world = World::build(plan, &days);
    let ends_at = world.anomalies.run.to;
    let mut outbox = Outbox::new(plan, ends_at, sink);
    let mut distributor = Distributor::new(plan, &world);
    for day in days.all() {
        distributor.live(&world, &day, &mut outbox)?;
    }
    let mut summary = outbox.finish()?;
    summary.anomalies = labels::of(&world);
    Ok(summary)
}

/// Everybody who acts.
struct Distributor {
    agenda: Agenda,
    shelves: Shelves,
    orders: OrderDesk,
    field: FieldForce,
    service: ServiceDesk,
    prices: PriceDesk,
}

impl Distributor {
    fn new(plan: &Plan, world: &World) -> Self {
        Self {
            agenda: Agenda::default(),
            shelves: Shelves::stock_up(plan, world),
            orders: OrderDesk::new(plan),
            field: FieldForce::new(plan),
            service: ServiceDesk::new(plan, world.organisation.areas.len()),
            prices: PriceDesk::new(plan),
        }
    }

    /// One day: what is planned for it, then everything that falls due, by time.
    fn live(
        &mut self,
        world: &World,
        day: &Day,
        outbox: &mut Outbox<'_>,
    ) -> Result<(), SimulateError> {
        let Self {
            agenda,
            shelves,
            orders,
            field,
            service,
            prices,
        } = self;
        let mut scene = Scene {
            world,
            day,
            now: day.start_ms,
            agenda,
            outbox,
            shelves,
        };
        prices.open_day(&mut scene);
        orders.open_day(&mut scene);
        field.open_day(&mut scene);
        service.open_day(&mut scene);
        scene.agenda.schedule(day.at(22, 0), Action::CloseShops);
        while let Some((at, action)) = scene.agenda.pop_before(day.end_ms) {
            scene.outbox.flush_now_and_then(at)?;
            scene.now = at;
            match action {
                Action::PlaceOrder {
                    customer,
                    is_emergency,
                } => orders.place(&mut scene, customer, is_emergency),
                Action::Order(order) => orders.advance(&mut scene, order),
                Action::PlanVisit {
                    customer,
                    planned_day,
                } => field.plan_visit(&mut scene, customer, planned_day),
                Action::Visit {
                    customer,
                    planned_day,
                } => field.visit(&mut scene, prices, customer, planned_day)?,
                Action::Contact {
                    customer,
                    is_planted,
                } => service.contact(&mut scene, customer, is_planted),
                Action::Case(case) => service.advance(&mut scene, case),
                Action::AnswerSurvey(invitation) => service.answer(&mut scene, &invitation),
                Action::CloseShops => scene.shelves.close(day.demand_permille),
                Action::CloseDay => service.close_day(&mut scene),
            }
        }
        Ok(())
    }
}
