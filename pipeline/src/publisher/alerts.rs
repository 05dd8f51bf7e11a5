//! Alerts of all logs: numbered by their seal, kept in an outbox a log, sent once they are durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use tokio::runtime::Handle;

use super::rows::conform;
use crate::alert::Transition;
use crate::sink::{
    AlertSink, Deliverer, DeliveryAttempt, Outbox, Routes, Schedule, SendLease, delivery_rows,
    transition_rows,
};
use crate::time::{Zone, wall};

/// How long after a look at the log's end alerts may leave (design 3.5), ms.
const MAY_SEND_MS: i64 = 5_000;

/// Where alerts go.
#[derive(Clone, Default)]
pub struct AlertDestinations {
    pub routes: Routes,
    pub targets: Vec<(Arc<str>, Schedule, Arc<dyn AlertSink>)>,
}

/// One outbox and one set of lanes a log: sequences rise within a log, and so within a dedupe key.
#[derive(Default)]
pub struct Alerting {
    destinations: AlertDestinations,
    deliverers: BTreeMap<String, Deliverer>,
    /// Transitions and attempts that are not in a table yet.
    transitions: Vec<Transition>,
    reports: Vec<DeliveryAttempt>,
}

impl Alerting {
    pub fn new(destinations: AlertDestinations) -> Self {
        Self {
            destinations,
            ..Self::default()
        }
    }

    pub fn routes(&self) -> Routes {
        self.destinations.routes.clone()
    }

    /// Takes in the transitions of a durable record of `log`; their rows go out with the next epoch.
    pub fn add(
        &mut self,
        outboxes: &mut BTreeMap<String, Outbox>,
        log: &str,
        transitions: Vec<Transition>,
        now_ms: i64,
    ) {
        if transitions.is_empty() {
            return;
        }
        self.transitions.extend(transitions.iter().cloned());
        self.send(outboxes, log, transitions, now_ms);
    }

    /// Puts durable transitions into the outbox and on their way.
    pub fn send(
        &mut self,
        outboxes: &mut BTreeMap<String, Outbox>,
        log: &str,
        transitions: Vec<Transition>,
        now_ms: i64,
    ) {
        let outbox = outboxes.entry(log.to_owned()).or_default();
        let dispatches = outbox.add(transitions, &self.destinations.routes, now_ms);
        if let Some(deliverer) = self.deliverers.get(log) {
            deliverer.reach(now_ms);
            deliverer.dispatch(dispatches);
        }
    }

    /// Starts sending, first what a former owner left.
    pub fn start(&mut self, outboxes: &mut BTreeMap<String, Outbox>, logs: &[String]) {
        if self.destinations.targets.is_empty() {
            return;
        }
        for log in logs {
            let deliverer = Deliverer::start(&Handle::current(), self.destinations.targets.clone());
            let outbox = outboxes.entry(log.clone()).or_default();
            deliverer.dispatch(outbox.take_over(&self.destinations.routes));
            self.deliverers.insert(log.clone(), deliverer);
        }
    }

    /// Extends the right to send; the owner has just seen that its log is still its own.
    pub fn renew(&self, live_ms: i64) {
        for deliverer in self.deliverers.values() {
            deliverer.renew(SendLease {
                may_send_until_ms: wall::now_ms() + MAY_SEND_MS,
                live_ms,
            });
        }
    }

    /// Takes in what became of attempts.
    pub fn collect(&mut self, outboxes: &mut BTreeMap<String, Outbox>) {
        for (log, deliverer) in &self.deliverers {
            for report in deliverer.reports() {
                if let Some(outbox) = outboxes.get_mut(log) {
                    outbox.settle(&report);
                }
                self.reports.push(report);
            }
        }
    }

    /// Alerts on their way.
    pub fn outstanding(&self) -> usize {
        self.deliverers.values().map(Deliverer::outstanding).sum()
    }

    /// Whether a table would get rows.
    pub fn has_rows(&self) -> bool {
        !self.transitions.is_empty() || !self.reports.is_empty()
    }

    /// Rows of `ops.alerts` and `ops.deliveries` since the last call, `more` being the publisher's own of this epoch.
    pub fn take_rows(
        &mut self,
        more: &[Transition],
        alerts: &SchemaRef,
        deliveries: &SchemaRef,
        zone: Zone,
        epoch: i64,
    ) -> Result<(RecordBatch, RecordBatch), ArrowError> {
        let mut transitions = std::mem::take(&mut self.transitions);
        transitions.extend(more.iter().cloned());
        let reports = std::mem::take(&mut self.reports);
        let dated = |rows: RecordBatch, schema, instants: Vec<i64>| {
            let days = instants.iter().map(|&ms| zone.day_of(ms).0);
            let epochs: ArrayRef = Arc::new(Int64Array::from(vec![epoch; instants.len()]));
            let dates: ArrayRef = Arc::new(Date32Array::from_iter_values(days));
            conform(&rows, schema, &[("epoch", epochs), ("event_date", dates)])
        };
        let at = transitions
            .iter()
            .map(|transition| transition.change.transitioned_at_ms)
            .collect();
        let tried = reports
            .iter()
            .map(|report| report.attempted_at_ms)
            .collect();
        Ok((
            dated(transition_rows(&transitions)?, alerts, at)?,
            dated(delivery_rows(&reports)?, deliveries, tried)?,
        ))
    }
}
