//! Troubles planted for the pipeline to find.

use super::customer::{Customer, CustomerKind};
use crate::days::{DAY_MS, HOUR_MS, SimulatedDay};

/// A stretch of time, end exclusive, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub from: i64,
    pub to: i64,
}

impl Period {
    pub fn contains(self, instant: i64) -> bool {
        (self.from..self.to).contains(&instant)
    }
}

/// Day (from 0) on whose evening the call centre stops telling departments.
const SILENT_DAY: i64 = 9;
/// Day from which one service unit's answers turn sour.
const SOUR_DAY: i64 = 7;
/// Days on which a popular SKU is not supplied, so that shelves are empty at the second week's counts.
const SHORT_DAYS: (i64, i64) = (1, 11);
/// The SKU that runs out, one of every sample retailer's basket.
const SHORT_SKU: u16 = 2;

/// Which troubles this run has room for.
pub(crate) struct Anomalies {
    /// A sample retailer whose shelf prices leave 5 % gross margin, all run long (A01).
    pub squeezed: Option<u32>,
    /// An evening on which complaints are taken and nobody is told (A15, by timer).
    pub silent_desk: Option<Period>,
    /// Area (index) whose customers are no longer satisfied with its service unit (A27).
    pub sour_area: Option<(u32, Period)>,
    /// A SKU that is not supplied for a while (A31).
    pub short_sku: Option<(u16, Period)>,
    pub run: Period,
}

impl Anomalies {
    pub(super) fn place(customers: &[Customer], first: &SimulatedDay, last: &SimulatedDay) -> Self {
        let run = Period {
            from: first.start_ms,
            to: last.end_ms,
        };
        let fits = |from: i64, to: i64| {
            let period = Period { from, to };
            (period.to <= run.to).then_some(period)
        };
        let evening = run.from + SILENT_DAY * DAY_MS;
        let squeezed = customers.iter().rposition(|customer| {
            customer.is_sample
                && customer.kind == CustomerKind::Retailer
                && customer.moves.is_none()
        });
        Self {
            squeezed: squeezed.map(|index| index as u32),
            silent_desk: fits(evening + 18 * HOUR_MS, evening + 22 * HOUR_MS),
            sour_area: fits(run.from + SOUR_DAY * DAY_MS, run.to)
                .filter(|period| period.from < period.to)
                .map(|period| (0, period)),
            short_sku: fits(
                run.from + SHORT_DAYS.0 * DAY_MS,
                run.from + SHORT_DAYS.1 * DAY_MS,
            )
            .map(|period| (SHORT_SKU, period)),
            run,
        }
    }
}
