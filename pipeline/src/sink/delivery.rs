//! The tasks that send: one a destination, so that a slow receiver holds up nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::alert_sink::{AlertSink, log_attempt};
use super::outbox::Dispatch;
use super::schedule::{DeliveryAttempt, DeliveryStep, DestinationQueue, Schedule, SendLease};
use crate::alert::Transition;
use crate::time::wall;

/// Sends what its owner has sealed and reports what became of it. Dropping it ends the tasks; what was under way is then
/// not acknowledged, and sent again by the next owner.
pub struct Deliverer {
    lanes: BTreeMap<Arc<str>, mpsc::UnboundedSender<Arc<Transition>>>,
    pulse: watch::Sender<SendLease>,
    reports: Receiver<DeliveryAttempt>,
    outstanding: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Deliverer {
    /// Starts a task for each destination. Nothing is sent before the first [`Deliverer::renew`].
    pub fn start(runtime: &Handle, targets: Vec<(Arc<str>, Schedule, Arc<dyn AlertSink>)>) -> Self {
        let (pulse, watching) = watch::channel(SendLease {
            may_send_until_ms: i64::MIN,
            live_ms: i64::MIN,
        });
        let (reporting, reports) = crossbeam_channel::unbounded();
        let outstanding = Arc::new(AtomicUsize::new(0));
        let mut lanes = BTreeMap::new();
        let mut tasks = Vec::new();
        for (destination, schedule, target) in targets {
            let (sender, inbox) = mpsc::unbounded_channel();
            lanes.insert(destination.clone(), sender);
            let worker = Worker {
                lane: DestinationQueue::new(destination, schedule),
                target,
                inbox,
                pulse: watching.clone(),
                reports: reporting.clone(),
                outstanding: outstanding.clone(),
            };
            tasks.push(runtime.spawn(worker.run()));
        }
        Self {
            lanes,
            pulse,
            reports,
            outstanding,
            tasks,
        }
    }

    /// Queues what a durable seal allows to leave, in order. A destination without a task is skipped: it stays in the outbox
    /// until the configuration is settled by `Outbox::take_over`.
    pub fn dispatch(&self, dispatches: Vec<Dispatch>) {
        for dispatch in dispatches {
            if let Some(lane) = self.lanes.get(&dispatch.destination) {
                self.outstanding.fetch_add(1, Ordering::Relaxed);
                // A closed lane means that the runtime is going down: the next owner sends it.
                let _ = lane.send(dispatch.transition);
            }
        }
    }

    /// Measures ages against `live_ms` from now on, if that is later. To be called with a seal's before its transitions are
    /// dispatched: what it decided long after the fact would else leave under the pulse before it.
    pub fn reach(&self, live_ms: i64) {
        self.pulse.send_if_modified(|pulse| {
            let is_later = live_ms > pulse.live_ms;
            pulse.live_ms = pulse.live_ms.max(live_ms);
            is_later
        });
    }

    /// Extends the right to send; to be called after each seal, and after each look at the end of the log.
    pub fn renew(&self, pulse: SendLease) {
        self.pulse.send_replace(pulse);
    }

    /// What became of attempts since the last call: for the owner's next seal.
    pub fn reports(&self) -> Vec<DeliveryAttempt> {
        self.reports.try_iter().collect()
    }

    /// Dispatches that are not settled yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Worker {
    lane: DestinationQueue,
    target: Arc<dyn AlertSink>,
    inbox: mpsc::UnboundedReceiver<Arc<Transition>>,
    pulse: watch::Receiver<SendLease>,
    reports: crossbeam_channel::Sender<DeliveryAttempt>,
    outstanding: Arc<AtomicUsize>,
}

impl Worker {
    async fn run(mut self) {
        loop {
            while let Ok(transition) = self.inbox.try_recv() {
                self.lane.push(transition);
            }
            let pulse = *self.pulse.borrow_and_update();
            let now_ms = wall::now_ms();
            for report in self.lane.settle_unsent(now_ms, pulse) {
                self.report(report);
            }
            let until_ms = match self.lane.next(now_ms, pulse) {
                DeliveryStep::Send(transition) => {
                    let answer = self.target.send(&transition, now_ms).await;
                    // A pause begins when the answer is in, or a time-out would be repeated at once.
                    if let Some(report) = self.lane.answered(answer, wall::now_ms()) {
                        self.report(report);
                    }
                    continue;
                }
                DeliveryStep::WaitUntil(until_ms) => Some(until_ms),
                DeliveryStep::Idle => None,
            };
            let pause = async {
                match until_ms {
                    Some(until_ms) => {
                        let ms = u64::try_from(until_ms - now_ms).unwrap_or(0);
                        wall::sleep(Duration::from_millis(ms)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.inbox.recv() => match received {
                    Some(transition) => self.lane.push(transition),
                    None => return,
                },
                changed = self.pulse.changed() => if changed.is_err() {
                    return;
                },
                () = pause => {}
            }
        }
    }

    fn report(&self, report: DeliveryAttempt) {
        log_attempt(&report);
        if report.outcome.is_settled() {
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
        }
        // The owner may be gone already; then the next one sends again.
        let _ = self.reports.send(report);
    }
}

#[cfg(test)]
mod tests;
