//! Anomalies planted for the pipeline to detect.

use schemas::time::{DurationMs, TimestampMs};

use super::customer::{Customer, CustomerKind};
use crate::days::SimulatedDay;

/// A period of time, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub from: TimestampMs,
    pub to: TimestampMs,
}

impl Period {
    pub(crate) fn contains(self, instant: TimestampMs) -> bool {
        (self.from..self.to).contains(&instant)
    }
}

/// Day (from 0) on whose evening the call centre notifies no department.
const SILENT_DAY: i64 = 9;
/// Day from which satisfaction with one service unit drops.
const DISSATISFIED_DAY: i64 = 7;
/// Days on which a popular SKU is not supplied, so that shelves are empty at the counts of the second week.
const SHORT_DAYS: (i64, i64) = (1, 11);
/// The SKU that runs out; every sample retailer carries it.
const SHORT_SKU: u16 = 2;

/// The planted anomalies that fit into this run.
pub(crate) struct Anomalies {
    /// A sample retailer whose prices leave a gross margin of 5 % during the whole run (A01).
    pub squeezed: Option<u32>,
    /// An evening on which complaints are taken and no department is notified (A15, by timer).
    pub silent_desk: Option<Period>,
    /// Area (index) whose customers become dissatisfied with its service unit (A27).
    pub dissatisfied_area: Option<(u32, Period)>,
    /// A SKU that is not supplied for a while (A31).
    pub short_sku: Option<(u16, Period)>,
    pub run: Period,
}

impl Anomalies {
    pub(super) fn place(customers: &[Customer], first: &SimulatedDay, last: &SimulatedDay) -> Self {
        let run = Period {
            from: first.start,
            to: last.end,
        };
        let fits = |from: TimestampMs, to: TimestampMs| {
            let period = Period { from, to };
            (period.to <= run.to).then_some(period)
        };
        let silent_day = run.from + DurationMs::from_days(SILENT_DAY);
        let squeezed = customers.iter().rposition(|customer| {
            customer.is_sample
                && customer.kind == CustomerKind::Retailer
                && customer.moves.is_none()
        });
        Self {
            squeezed: squeezed.map(|index| index as u32),
            silent_desk: fits(
                silent_day + DurationMs::from_hours(18),
                silent_day + DurationMs::from_hours(22),
            ),
            dissatisfied_area: fits(run.from + DurationMs::from_days(DISSATISFIED_DAY), run.to)
                .filter(|period| period.from < period.to)
                .map(|period| (0, period)),
            short_sku: fits(
                run.from + DurationMs::from_days(SHORT_DAYS.0),
                run.from + DurationMs::from_days(SHORT_DAYS.1),
            )
            .map(|period| (SHORT_SKU, period)),
            run,
        }
    }
}
