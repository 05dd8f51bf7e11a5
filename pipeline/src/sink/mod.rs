//! What leaves: durable alerts and an epoch's records, each sent beside the publisher until its receiver has it.
//!
//! ```text
//!  durable records of logs ─ ingest ─▶ AlertDelivery ─▶ Webhook, KafkaAlertSink
//!                                        │  ▲ outbox, cursors
//!                                        ▼  │
//!                                    log sink-alerts
//!
//!  an epoch's staged file ─ deliver ─▶ RecordDelivery ─▶ KafkaRecordSink
//!                                        │  ▲ epochs delivered
//!                                        ▼  │
//!                                    log sink-records
//! ```
//!
//! * [`AlertDelivery`]: transitions of all [`AlertSource`]s. Its outbox holds what is not yet acknowledged by whom; its cursors
//!   say how far each source is known, so that a restart reads what the sources have sealed since.
//! * [`AlertSink`] sends one transition. Order, retries and expiry are those of a queue, one for each source and
//!   destination.
//! * [`RecordDelivery`]: the records of an epoch, which [`stage_records`] has written into a file, epoch after epoch.
//! * [`RecordSink`] sends records, all at once or none, and says what of an epoch has arrived.
//! * [`SinkEvent`]: what both report to their owner: attempts, delivered epochs, and an end that nobody asked for.
//!
//! Delivery is in order, under the same ids. Each delivery is one task that owns a log. Alerts leave at least once, and only within
//! 5 s after the task has appended to its log or read its end, so that a former owner falls silent. What is acknowledged
//! and not yet in the log when the process dies is sent again. A new owner also repeats the latest state of keys that changed
//! within ten minutes: a receiver must not be left with an older one. Records leave in transactions, so that readers of committed
//! records see each once; the own log's end is read before each of them.
//!
//! A receiver or broker that is away holds up nothing but its own queue. Nothing that a record holds may stop its delivery: one
//! that does not fit is cut, and one that is refused for good is given up: an error in the log and a row of `ops.deliveries`.
//!
//! Start with `alert_outbox` and `record_queue` (what to do, pure), then `alert_delivery` and `record_delivery` (the tasks).
//!
//! Left out: a storm guard; order across destinations or sources.

mod address;
mod alert_delivery;
mod alert_lanes;
mod alert_log;
mod alert_outbox;
mod alert_sink;
mod alert_source;
mod alert_topic;
mod outbox;
mod own_log;
mod record_delivery;
mod record_file;
mod record_log;
mod record_queue;
mod record_sink;
mod record_topic;
mod rows;
mod schedule;
mod sink_record;
mod task;
mod webhook;

pub use alert_delivery::AlertDelivery;
pub use alert_sink::{AlertDestinations, AlertSink};
pub use alert_source::{AlertSource, SourceTransitions};
pub use alert_topic::KafkaAlertSink;
pub use outbox::{Route, Routes};
pub use record_delivery::RecordDelivery;
pub use record_file::{RecordFile, stage_records};
pub use record_sink::{RecordSink, RecordSinkError};
pub use record_topic::KafkaRecordSink;
pub use rows::{delivery_rows, transition_rows};
pub use schedule::{
    DeliveryAttempt, DeliveryOutcome, Schedule, SendResult, TOPIC_DESTINATION, topic_destination,
};
pub use sink_record::SinkRecord;
pub use task::SinkEvent;
pub use webhook::{Webhook, WebhookSettings};

/// The logs of both deliveries, with the layouts of their payloads. Nobody else reads them: what a checkpoint covers may go.
pub fn delivery_logs() -> [(&'static str, u16); 2] {
    [
        (alert_log::ALERT_LOG, alert_log::ALERT_LAYOUT),
        (record_log::RECORD_LOG, record_log::RECORD_LAYOUT),
    ]
}
