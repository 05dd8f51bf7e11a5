//! A simulated distributor, for `vitrine simulate` and `vitrine demo`.
//!
//! Retailers order in weekly cycles, receive deliveries that may be late or short, sell from their shelves, are visited, counted
//! and surveyed; they complain, and the service desk meets its time limits or misses them. The same [`Plan`] gives the same
//! bytes: randomness comes from seeded streams, time from the plan, and queues break ties by order of insertion.
//!
//! ```text
//!  World ─────────────┐  customers, goods, units: fixed by the plan, also written to ref/
//!                     ▼
//!  Agenda ──▶ OrderDesk · FieldForce · ServiceDesk · PriceDesk ──▶ ArrivalQueue ──▶ (FaultInjector) ──▶ RecordWriter ──▶ EventSink
//!    ▲  actions by time        │ change shelves, post events         order of arrival                     offset, label
//!    └─────────────────────────┘
//! ```
//!
//! Memory holds the customers, the shelves of sample retailers, whatever is in progress and, in a dirty run, the ids that may
//! still be repeated. A run of any length is written day by day.
//!
//! Ground truth beside the events: `truth/dirty.ndjson` (every record that must not be accepted, and why), `truth/anomalies.ndjson`
//! (planted anomalies), `truth/sell_through.ndjson` (true sales between counts), `truth/summary.json` (totals).
//!
//! Choices made here:
//! * A clean run keeps within the bounds of disorder (contract 2): field applications sync within minutes. Devices that are
//!   offline for hours belong to a dirty run.
//! * A correction (`corrects`) repeats when something happened: same `occurred_at`, later `recorded_at`.
//! * Nothing happens after the last day; what is in progress stays open.
//!
//! Start reading at [`Plan`], then [`generate`]. Warehouses, tills, contracts and names of people are not simulated.

mod agenda;
mod arrivals;
mod context;
mod days;
mod dirty;
mod error;
mod field_force;
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

pub use error::Error;
pub use plan::{EventSink, Plan, SimulationSummary};
pub use reference::write_reference;
pub use truth::{Anomaly, DirtyRecord, SoldInterval};
pub use write::{EventFiles, write_dir};

use agenda::{Action, Agenda};
use arrivals::ArrivalQueue;
use context::SimulationContext;
use days::{Days, SimulatedDay};
use field_force::FieldForce;
use orders::OrderDesk;
use prices::PriceDesk;
use service::ServiceDesk;
use shelves::Shelves;
use world::World;

/// Simulates a plan and gives its records to `sink` in the order in which they reach the logs.
///
/// # Errors
/// A plan without days, customers or partitions, or one that leaves the calendar; an error of the sink.
pub fn generate(plan: &Plan, sink: &mut dyn EventSink) -> Result<SimulationSummary, Error> {
    plan.validate()?;
    let days = Days::of(plan)?;
    let world = World::build(plan, &days);
    let ends_at = world.anomalies.run.to;
    let mut arrivals = ArrivalQueue::new(plan, ends_at, sink);
    let mut distributor = Distributor::new(plan, &world);
    for day in days.all() {
        distributor.simulate_day(&world, &day, &mut arrivals)?;
    }
    let mut summary = arrivals.finish()?;
    summary.anomalies = labels::of(&world);
    Ok(summary)
}

/// All actors and what they act on.
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
            shelves: Shelves::new(plan, world),
            orders: OrderDesk::new(plan),
            field: FieldForce::new(plan),
            service: ServiceDesk::new(plan, world.organisation.areas.len()),
            prices: PriceDesk::new(plan),
        }
    }

    /// One day: schedules what is planned for it, then runs every action that is due, by time.
    fn simulate_day(
        &mut self,
        world: &World,
        day: &SimulatedDay,
        arrivals: &mut ArrivalQueue<'_>,
    ) -> Result<(), Error> {
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
            now: day.start,
            agenda,
            arrivals,
            shelves,
        };
        prices.open_day(&mut context);
        orders.open_day(&mut context);
        field.open_day(&mut context);
        service.open_day(&mut context);
        context.agenda.schedule(day.at(22, 0), Action::CloseShops);
        while let Some((at, action)) = context.agenda.pop_before(day.end) {
            context.arrivals.flush_if_due(at)?;
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
