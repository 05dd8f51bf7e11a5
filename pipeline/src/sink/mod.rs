//! Alerts: rules over facts and metric rows, and the way of their transitions to the people who act.
//!
//! ```text
//!  facts, rows ─▶ AlertRule ─ Change ─▶ seal ─ Transition ─▶ Outbox (sealed state) ─ Dispatch ─▶ Deliverer
//!                     ▲ timers                                   ▲                                │ one lane a destination
//!                     └ clock or live time                       └──────── DeliveryAttempt (sealed) ◀──────┘
//! ```
//!
//! * [`AlertRule`]: a pure state machine, pending → firing → resolved or withdrawn; it knows no I/O and no sequence.
//! * [`Transition`]: a [`Change`] that a seal has numbered; its id is the same on every retry and every replay.
//! * [`Outbox`]: what is not yet acknowledged by whom. Part of the owner's state, so it survives with the log.
//! * [`Deliverer`]: one task a destination, each with its own [`DestinationQueue`] (order, retries, expiry: pure) over a [`AlertSink`] (I/O).
//!
//! What an owner does, in this order: number the changes of a seal ([`seal()`]); put the seal; once it is durable, [`Outbox::add`]
//! and [`Deliverer::dispatch`]; [`Deliverer::renew`] with every seal and every look at the end of its log; [`Deliverer::reports`]
//! into the next seal and [`Outbox::settle`]. A new owner starts with [`Outbox::take_over`].
//!
//! Delivery is at least once. A transition leaves only after its seal, and only while its owner may send ([`SendLease`]); what a
//! crash leaves unacknowledged is sent again under the same id. There is no storm guard yet.

mod address;
mod alert_topic;
mod delivery;
mod outbox;
mod record_sink;
mod rows;
mod schedule;
mod webhook;

pub use alert_topic::KafkaAlertSink;
pub use delivery::{AlertSink, Deliverer};
pub use outbox::{Dispatch, Outbox, Route, Routes};
pub use record_sink::{KafkaRecordSink, RecordSink, SinkRecord};
pub use rows::{delivery_rows, transition_rows};
pub use schedule::{
    DeliveryAttempt, DeliveryOutcome, DeliveryStep, DestinationQueue, Schedule, SendLease,
    SendResult,
};
pub use webhook::{Webhook, WebhookSettings};

mod stub;
pub use stub::*;
