//! Alert rules of the trade. Thresholds are data (`jobs/alerts/*.toml`), the state machines are here; numbering, outbox and delivery
//! belong to the engine (`pipeline::alert`, `pipeline::sink`).
//!
//! | rule | input | fires when |
//! |---|---|---|
//! | A01 (`margin`) | revisions of `retailer_margin` H28, at the publisher | a retailer's observed margin is under 9 % |
//! | A15 (`sla`) | `facts.sla_steps`, in each shard | a department was not notified by deadline + grace |
//!
//! [`AlertRules`] reads and checks them all once; every shard and the publisher then start with rules of their own.

mod margin;
mod rules;
mod sla;

pub use rules::AlertRules;
