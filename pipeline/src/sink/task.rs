//! A delivery's task, and what it reports to its owner.

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::schedule::DeliveryAttempt;
use crate::error::{Error, ErrorKind, Result};

/// What a delivery reports.
#[derive(Debug)]
pub enum SinkEvent {
    /// Attempts to deliver alerts, in their order: rows of `ops.deliveries`.
    Attempted {
        number: u64,
        attempts: Vec<DeliveryAttempt>,
    },
    /// All records of this epoch have left, and the log of the delivery says so. May be reported again after a restart.
    Delivered {
        epoch: i64,
        /// Rows of `ops.deliveries` of those that were given up.
        given_up: Vec<DeliveryAttempt>,
    },
    /// A delivery has ended although nobody closed it.
    Ended(Error),
}

/// Why a delivery's owner wants no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What is known is to be sealed.
    Closed,
    /// The owner has failed itself: nothing more is to be done.
    Dropped,
}

/// How a delivery's loop ended.
pub(super) enum TaskEnd {
    /// Its owner closed or dropped it; the result of sealing what was left.
    Asked(Result<()>),
    Failed(Error),
}

/// Runs the loop of a delivery. An end that nobody asked for is reported, a panic or a cancelled task too.
pub(super) fn spawn(
    what: &'static str,
    events: UnboundedSender<SinkEvent>,
    run: impl Future<Output = TaskEnd> + Send + 'static,
) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        let guard = EndGuard {
            what,
            events: Some(events),
        };
        match run.await {
            TaskEnd::Asked(result) => {
                guard.disarm();
                result
            }
            TaskEnd::Failed(error) => {
                let ended = ended(what, error.kind());
                guard.report(error);
                Err(ended)
            }
        }
    })
}

/// Waits for the end of a delivery that was asked to close.
pub(super) async fn join(what: &str, task: JoinHandle<Result<()>>) -> Result<()> {
    task.await
        .unwrap_or_else(|panic| Err(ended(what, ErrorKind::Internal).caused_by(panic)))
}

fn ended(what: &str, kind: ErrorKind) -> Error {
    Error::new(
        kind,
        format!(
            "delivery of {what} had ended before it was closed: see the error that it reported"
        ),
    )
}

/// Reports the end of a task that neither returned nor failed by itself.
struct EndGuard {
    what: &'static str,
    events: Option<UnboundedSender<SinkEvent>>,
}

impl EndGuard {
    fn disarm(mut self) {
        self.events = None;
    }

    fn report(mut self, error: Error) {
        if let Some(events) = self.events.take() {
            // An owner that no longer listens is ending itself.
            let _ = events.send(SinkEvent::Ended(error));
        }
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if let Some(events) = self.events.take() {
            let how = if std::thread::panicking() {
                "panicked"
            } else {
                "was cancelled"
            };
            let message = format!("delivery of {} {how}", self.what);
            let _ = events.send(SinkEvent::Ended(Error::new(ErrorKind::Internal, message)));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// What the owner receives of a task that ends in this way, and what closing it gives.
    async fn end_of(
        run: impl Future<Output = TaskEnd> + Send + 'static,
    ) -> (Option<Error>, Result<()>) {
        let (events, mut received) = unbounded_channel();
        let closed = join("alerts", spawn("alerts", events, run)).await;
        let reported = received.recv().await.map(|event| match event {
            SinkEvent::Ended(error) => error,
            other => panic!("unexpected {other:?}"),
        });
        (reported, closed)
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_not_reported() {
        let (reported, closed) = end_of(async { TaskEnd::Asked(Ok(())) }).await;
        assert!(reported.is_none() && closed.is_ok());
        let failed = || Error::new(ErrorKind::Unavailable, "store failed");
        let (reported, closed) = end_of(async move { TaskEnd::Asked(Err(failed())) }).await;
        assert!(reported.is_none());
        assert_eq!(closed.unwrap_err().to_string(), "store failed");
    }

    #[tokio::test]
    async fn every_other_end_is_reported() {
        let fenced = || Error::new(ErrorKind::Fenced, "another owner took over");
        let (reported, closed) = end_of(async move { TaskEnd::Failed(fenced()) }).await;
        assert_eq!(reported.unwrap().to_string(), "another owner took over");
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Fenced);

        let (reported, closed) = end_of(async { panic!("a mistake") }).await;
        assert!(reported.unwrap().to_string().contains("alerts panicked"));
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Internal);
    }

    #[tokio::test]
    async fn a_cancelled_task_is_reported() {
        let (events, mut received) = unbounded_channel();
        let task = spawn("records", events, std::future::pending());
        tokio::task::yield_now().await;
        task.abort();
        let Some(SinkEvent::Ended(error)) = received.recv().await else {
            panic!("no report");
        };
        assert!(
            error.to_string().contains("records was cancelled"),
            "{error}"
        );
    }
}
