#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;

use async_trait::async_trait;

use super::super::Webhook;
use super::super::schedule::{DeliveryOutcome, SendResult};
use super::super::webhook::tests::{SECRET, serve, settings};
use super::*;
use crate::alert::transition_fixture::transition;

/// Gives the next of its answers to each attempt, and remembers which sequences it was sent.
struct Scripted {
    answers: Mutex<Vec<SendResult>>,
    seen: Mutex<Vec<i64>>,
}

impl Scripted {
    fn new(mut answers: Vec<SendResult>) -> Arc<Self> {
        answers.reverse();
        Arc::new(Self {
            answers: Mutex::new(answers),
            seen: Mutex::new(Vec::new()),
        })
    }

    fn seen(&self) -> Vec<i64> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl AlertSink for Scripted {
    async fn send(&self, transition: &Transition, _wall_ms: i64) -> SendResult {
        self.seen.lock().unwrap().push(transition.sequence / 65_536);
        let answer = self.answers.lock().unwrap().pop();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

const ACCEPTED: SendResult = SendResult::Accepted { status: Some(200) };

fn unavailable() -> SendResult {
    SendResult::Unavailable {
        status: None,
        error: "down".into(),
        retry_after_ms: None,
    }
}

fn quick() -> Schedule {
    Schedule {
        first_ms: 4,
        longest_ms: 8,
        ..Schedule::default()
    }
}

fn start(targets: Vec<(&str, Arc<dyn AlertSink>)>) -> Deliverer {
    let targets = targets
        .into_iter()
        .map(|(name, target)| (name.into(), quick(), target))
        .collect();
    Deliverer::start(&Handle::current(), targets)
}

fn to(destination: &str, number: u64) -> Dispatch {
    Dispatch {
        destination: destination.into(),
        transition: Arc::new(transition(number)),
    }
}

fn allow(deliverer: &Deliverer) {
    deliverer.renew(SendLease {
        may_send_until_ms: i64::MAX,
        live_ms: 700_000,
    });
}

/// Reports until `count` are settled.
async fn settled(deliverer: &Deliverer, count: usize) -> Vec<DeliveryAttempt> {
    let mut reports = Vec::new();
    for _ in 0..2_000 {
        reports.extend(deliverer.reports());
        if reports.iter().filter(|r| r.outcome.is_settled()).count() >= count {
            return reports;
        }
        wall::sleep(Duration::from_millis(5)).await;
    }
    panic!("only {reports:?} after ten seconds");
}

#[tokio::test]
async fn nothing_leaves_before_its_owner_may_send() {
    let target = Scripted::new(vec![ACCEPTED]);
    let deliverer = start(vec![("desk", target.clone())]);
    deliverer.dispatch(vec![to("desk", 1)]);
    wall::sleep(Duration::from_millis(50)).await;
    assert_eq!(target.seen(), [0; 0]);
    assert_eq!(deliverer.outstanding(), 1);
    allow(&deliverer);
    let reports = settled(&deliverer, 1).await;
    assert_eq!(
        (&*reports[0].id, reports[0].outcome),
        ("A15-0-1-0", DeliveryOutcome::Delivered)
    );
    assert_eq!(deliverer.outstanding(), 0);
}

/// Draining decides deadlines of weeks in one seal, and the pulse before it knows nothing of those weeks.
#[tokio::test]
async fn an_alert_is_as_old_as_its_seal_says() {
    let target = Scripted::new(vec![ACCEPTED]);
    let deliverer = start(vec![("desk", target.clone())]);
    allow(&deliverer);
    deliverer.reach(700_000 + 25 * 3_600_000);
    deliverer.dispatch(vec![to("desk", 1)]);
    let reports = settled(&deliverer, 1).await;
    assert_eq!(reports[0].outcome, DeliveryOutcome::Expired);
    assert_eq!(target.seen(), [0; 0]);
}

#[tokio::test]
async fn failures_are_repeated_under_the_same_id_and_in_order() {
    let target = Scripted::new(vec![unavailable(), unavailable(), ACCEPTED, ACCEPTED]);
    let deliverer = start(vec![("desk", target.clone())]);
    allow(&deliverer);
    deliverer.dispatch(vec![to("desk", 1), to("desk", 2)]);
    let reports = settled(&deliverer, 2).await;
    let found: Vec<_> = reports
        .iter()
        .map(|r| (&*r.id, r.attempt, r.outcome))
        .collect();
    assert_eq!(
        found,
        [
            ("A15-0-1-0", 1, DeliveryOutcome::Retry),
            ("A15-0-1-0", 2, DeliveryOutcome::Retry),
            ("A15-0-1-0", 3, DeliveryOutcome::Delivered),
            ("A15-0-2-0", 1, DeliveryOutcome::Delivered),
        ]
    );
    assert_eq!(target.seen(), [1, 1, 1, 2]);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let hanging = Scripted::new(vec![]);
    let healthy = Scripted::new(vec![ACCEPTED, ACCEPTED]);
    let deliverer = start(vec![("slow", hanging.clone()), ("desk", healthy)]);
    allow(&deliverer);
    deliverer.dispatch(vec![
        to("slow", 1),
        to("desk", 1),
        to("desk", 2),
        to("nobody", 1),
    ]);
    let reports = settled(&deliverer, 2).await;
    assert!(reports.iter().all(|r| &*r.destination == "desk"));
    assert_eq!(hanging.seen(), [1]);
    assert_eq!(deliverer.outstanding(), 1);
}

#[tokio::test]
async fn a_real_receiver_gets_the_same_event_again_after_a_failure() {
    let (url, requests) = serve(vec![
        "HTTP/1.1 503 Busy\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]);
    let (settings, _dir) = settings(&url, SECRET);
    let webhook = Webhook::open(&settings, true, "test").unwrap();
    let deliverer = start(vec![("desk", Arc::new(webhook))]);
    allow(&deliverer);
    deliverer.dispatch(vec![to("desk", 1)]);
    let reports = settled(&deliverer, 1).await;
    assert_eq!(
        reports.iter().map(|r| r.status).collect::<Vec<_>>(),
        [Some(503), Some(200)]
    );
    let (first, second) = (requests.recv().unwrap(), requests.recv().unwrap());
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
}
