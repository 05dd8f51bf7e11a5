//! The progress of a demo: first the simulated days; once it is live, the epochs and their alerts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use indicatif::HumanCount;
use pipeline::time::{Zone, wall};
use tokio::sync::watch;

use super::alerts;
use super::feed::FeedProgress;
use crate::config::Config;
use crate::local_time::local;
use crate::output::{print_lines, tell};
use crate::progress::Progress;
use crate::storage::EpochReader;

/// How often the progress bar is updated.
const UPDATE_EVERY: Duration = Duration::from_millis(200);
/// Time between two lines about live epochs.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// The same while no event comes, as at night.
const REPORT_IDLE_EVERY: Duration = Duration::from_secs(60);
/// Alerts shown per line about epochs.
const ALERTS_SHOWN: usize = 5;

/// Shows the progress until the sender of epochs is gone.
pub(super) async fn watch(
    config: Config,
    start: NaiveDate,
    days: u32,
    feed: Arc<FeedProgress>,
    mut epochs: watch::Receiver<i64>,
) {
    let zone = Zone(config.time.zone);
    let mut progress = Progress::new("simulated", Some(days.into()));
    while epochs.has_changed().is_ok() {
        // There is a storage once it has an epoch.
        if feed.has_caught_up.load(Ordering::Relaxed) && *epochs.borrow() > 0 {
            drop(progress);
            return match EpochReader::new(&config) {
                Ok(reader) => follow(&config, &reader, &feed, &mut epochs).await,
                Err(error) => tracing::warn!("published epochs cannot be shown: {error:#}"),
            };
        }
        let events = HumanCount(feed.events.load(Ordering::Relaxed));
        let epoch = *epochs.borrow();
        if feed.is_finished.load(Ordering::Relaxed) {
            let message = format!("days, {events} events; computing windows, epoch {epoch}");
            progress.update(days.into(), &message);
        } else {
            let day = zone.day_of(feed.recorded_at());
            let done = (day.date() - start).num_days().clamp(0, days.into());
            let message = format!("days, {events} events, epoch {epoch}");
            progress.update(done.unsigned_abs(), &message);
        }
        wall::sleep(UPDATE_EVERY).await;
    }
}

/// Live: a line about the newest epoch every few seconds, and the alerts since the last one.
async fn follow(
    config: &Config,
    reader: &EpochReader<'_>,
    feed: &FeedProgress,
    epochs: &mut watch::Receiver<i64>,
) {
    tell("caught up with the clock: live from here until Ctrl-C");
    let (mut shown_epoch, mut shown_events, mut shown_at) = (0, 0, None::<Instant>);
    loop {
        let epoch = *epochs.borrow_and_update();
        let events = feed.events.load(Ordering::Relaxed);
        let is_idle = events == shown_events
            && shown_at.is_some_and(|shown_at| shown_at.elapsed() < REPORT_IDLE_EVERY);
        if epoch > shown_epoch {
            if !is_idle {
                show_epoch(config, feed, epoch);
                (shown_events, shown_at) = (events, Some(wall::monotonic()));
            }
            if let Err(error) = show_alerts(config, reader, shown_epoch).await {
                tracing::warn!("alerts cannot be read: {error:#}");
            }
            shown_epoch = epoch;
        }
        wall::sleep(REPORT_EVERY).await;
        if epochs.changed().await.is_err() {
            return;
        }
    }
}

fn show_epoch(config: &Config, feed: &FeedProgress, epoch: i64) {
    let clock = |instant| local(instant, config.time.zone, "%H:%M:%S");
    tell(format_args!(
        "{}  epoch {epoch}, {} events, the last recorded at {}",
        clock(wall::now()),
        HumanCount(feed.events.load(Ordering::Relaxed)),
        clock(feed.recorded_at()),
    ));
}

async fn show_alerts(
    config: &Config,
    reader: &EpochReader<'_>,
    after_epoch: i64,
) -> anyhow::Result<()> {
    let session = reader.session().await?;
    let (alerts, number) = alerts::newest(&session, after_epoch, ALERTS_SHOWN).await?;
    session.close().await;
    if number > alerts.len() {
        print_lines([format!("{number} alerts, the newest {}:", alerts.len())])?;
    }
    print_lines(alerts.iter().map(|alert| alert.lines(config.time.zone)))
}
