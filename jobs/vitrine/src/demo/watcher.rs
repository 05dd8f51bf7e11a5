//! What a demo says while it runs: how far the simulated days are, then, live, epochs and the alerts they bring.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate};
use indicatif::HumanCount;
use pipeline::time::{Zone, wall};
use tokio::sync::watch;

use super::super::progress::Progress;
use super::super::{open, say};
use super::alerts;
use super::feed::Sent;
use crate::config::Config;

/// How often the bar moves.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Time between two lines about live epochs.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// The same while no event comes: the shop is closed, not the service.
const SAY_QUIETLY_EVERY: Duration = Duration::from_secs(60);
/// Alerts that one line's epochs may bring to the screen.
const ALERTS_AT_ONCE: usize = 5;

/// Watches until the sender of epochs is gone.
pub async fn watch(
    config: Config,
    start: NaiveDate,
    days: u32,
    sent: Arc<Sent>,
    mut epochs: watch::Receiver<i64>,
) {
    let zone = Zone(config.time.zone);
    let mut progress = Progress::new("simulated", Some(days.into()));
    while epochs.has_changed().is_ok() {
        if sent.has_caught_up.load(Ordering::Relaxed) {
            drop(progress);
            return match open::Reader::new(&config) {
                Ok(reader) => follow(&config, &reader, &sent, &mut epochs).await,
                Err(error) => tracing::warn!("what is published cannot be told: {error:#}"),
            };
        }
        let events = HumanCount(sent.events.load(Ordering::Relaxed));
        let epoch = *epochs.borrow();
        match sent.is_finished.load(Ordering::Relaxed) {
            true => progress.at(
                days.into(),
                &format!("days, {events} events; computing windows, epoch {epoch}"),
            ),
            false => {
                let day = zone.day_of(sent.recorded_at_ms.load(Ordering::Relaxed));
                let done = (day.date() - start).num_days().clamp(0, days.into());
                let message = format!("days, {events} events, epoch {epoch}");
                progress.at(done.unsigned_abs(), &message);
            }
        }
        wall::sleep(LOOK_EVERY).await;
    }
}

/// Live: a line for what was published, at most every few seconds, and every alert in it.
async fn follow(
    config: &Config,
    reader: &open::Reader<'_>,
    sent: &Sent,
    epochs: &mut watch::Receiver<i64>,
) {
    eprintln!("caught up with the clock: live from here, Ctrl-C ends it");
    let (mut told_epoch, mut told_events, mut said_at) = (0, 0, None::<Instant>);
    loop {
        let epoch = *epochs.borrow_and_update();
        let events = sent.events.load(Ordering::Relaxed);
        let is_quiet =
            events == told_events && said_at.is_some_and(|said| said.elapsed() < SAY_QUIETLY_EVERY);
        if epoch > told_epoch {
            if !is_quiet {
                tell_epoch(config, sent, epoch);
                (told_events, said_at) = (events, Some(wall::monotonic()));
            }
            if let Err(error) = tell_alerts(config, reader, told_epoch).await {
                tracing::warn!("alerts cannot be read: {error:#}");
            }
            told_epoch = epoch;
        }
        wall::sleep(SAY_EVERY).await;
        if epochs.changed().await.is_err() {
            return;
        }
    }
}

fn tell_epoch(config: &Config, sent: &Sent, epoch: i64) {
    let clock = |ms: i64| {
        DateTime::from_timestamp_millis(ms)
            .unwrap_or_default()
            .with_timezone(&config.time.zone)
            .format("%H:%M:%S")
    };
    eprintln!(
        "{}  epoch {epoch}, {} events, the last recorded at {}",
        clock(wall::now_ms()),
        HumanCount(sent.events.load(Ordering::Relaxed)),
        clock(sent.recorded_at_ms.load(Ordering::Relaxed)),
    );
}

async fn tell_alerts(
    config: &Config,
    reader: &open::Reader<'_>,
    after_epoch: i64,
) -> anyhow::Result<()> {
    let session = reader.session().await?;
    let (alerts, number) = alerts::newest(&session, after_epoch, ALERTS_AT_ONCE).await?;
    session.close().await;
    if number > alerts.len() {
        say([format!("{number} alerts, the newest {}:", alerts.len())])?;
    }
    say(alerts.iter().map(|alert| alert.lines(config.time.zone)))
}
