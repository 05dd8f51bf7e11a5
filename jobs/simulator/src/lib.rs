//! `vitrine simulate`: a distributor that behaves like one.
//!
//! Retailers order in weekly cycles, are delivered with delay and short of what is short, sell what lies on their shelves,
//! are visited, counted and asked; they complain, and the desk meets its limits or does not. The same [`Plan`] gives the
//! same bytes: randomness comes from seeded streams, time from the plan, order from queues that break ties by age.
//!
//! ```text
//!  World ─────────────┐  who, what, where: fixed by the plan, also written to ref/
//!                     ▼
//!  Agenda ──▶ OrderDesk · FieldForce · ServiceDesk · PriceDesk ──▶ ArrivalQueue ──▶ (Dirtier) ──▶ Outlet ──▶ EventSink
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
mod arrivals;
mod context;
mod days;
pub mod dirty;
mod field;
mod labels;
mod orders;
mod payload;
mod plan;
mod prices;
mod random;
mod record;
mod reference;
mod service;
mod shelves;
mod truth;
mod verdict;
mod world;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use plan::{EventSink, Plan, SimTopic, SimulateError, SimulationSummary};
pub use reference::write_reference;
pub use truth::{Anomaly, DirtyRecord, SoldInterval};
pub use write::{EventFiles, write_dir};

use agenda::{Action, Agenda};
use arrivals::ArrivalQueue;
use context::SimulationContext;
use days::{Days, SimulatedDay};
use field::FieldForce;
use orders::OrderDesk;
use prices::PriceDesk;
use service::ServiceDesk;
use shelves::Shelves;
use world::World;

/// Simulates a plan and gives its records to `sink` in the order in which they reach the logs.
///
/// # Errors
/// A plan without days, customers or partitions, or one that leaves the calendar; whatever the sink returns.
pub fn generate(plan: &Plan, sink: &mut dyn EventSink) -> Result<SimulationSummary, SimulateError> {
    plan.validate()?;
    let days = Days::of(plan)?;
    let world = World::build(plan, &days);
    let ends_at = world.anomalies.run.to;
    let mut arrivals = ArrivalQueue::new(plan, ends_at, sink);
    let mut distributor = Distributor::new(plan, &world);
    for day in days.all() {
        distributor.live(&world, &day, &mut arrivals)?;
    }
    let mut summary = arrivals.finish()?;
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
        day: &SimulatedDay,
        arrivals: &mut ArrivalQueue<'_>,
    ) -> Result<(), SimulateError> {
        let Self {
            agenda,
            shelves,
            orders,
            field,
            service,
            prices,
        } = self;
        let mut context = SimulationContext {
            world,
            day,
            now: day.start_ms,
            agenda,
            arrivals,
            shelves,
        };
        prices.open_day(&mut context);
        orders.open_day(&mut context);
        field.open_day(&mut context);
        service.open_day(&mut context);
        context.agenda.schedule(day.at(22, 0), Action::CloseShops);
        while let Some((at, action)) = context.agenda.pop_before(day.end_ms) {
            context.arrivals.flush_now_and_then(at)?;
            context.now = at;
            match action {
                Action::PlaceOrder {
                    customer,
                    is_emergency,
                } => orders.place(&mut context, customer, is_emergency),
                Action::Order(order) => orders.advance(&mut context, order),
                Action::PlanVisit {
                    customer,
                    planned_day,
                } => field.plan_visit(&mut context, customer, planned_day),
                Action::Visit {
                    customer,
                    planned_day,
                } => field.visit(&mut context, prices, customer, planned_day)?,
                Action::Contact {
                    customer,
                    is_planted,
                } => service.contact(&mut context, customer, is_planted),
                Action::Case(case) => service.advance(&mut context, case),
                Action::AnswerSurvey(invitation) => service.answer(&mut context, &invitation),
                Action::CloseShops => context.shelves.close(day.demand_permille),
                Action::CloseDay => service.close_day(&mut context),
            }
        }
        Ok(())
    }
}
