//! A01: a retailer's margin over four weeks is too low (K22).
//!
//! ```text
//!            under a limit                 at resolved_from or above ─▶ resolved
//!  quiet ───────────────────▶ firing ──┤   another severity ─▶ updated
//!                                          too few SKUs, no sales, row gone ─▶ withdrawn
//! ```
//!
//! Each revision of a retailer's newest window is classified. Revisions of older windows say nothing about the present and are ignored.
//! Between the limits and `resolved_from` an open alert stays as it is (hysteresis).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::alert::{
    AlertChange, AlertRule, AlertScope, AlertState, RuleInput, RuleTime, Severity,
};
use pipeline::columns::Columns;
use pipeline::error::Result;
use pipeline::publisher::RuleCard;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::rules::wrong_setting;

const METRIC: &str = "retailer_margin";
const WINDOW_KIND: &str = "H28";

/// Ratios are compared as whole millionths, exactly.
const MILLION: i128 = 1_000_000;

/// `A01.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarginSettings {
    pub rule_id: Arc<str>,
    pub version: u32,
    pub title: Arc<str>,
    pub observed_skus_at_least: i64,
    pub resolved_from_ratio: f64,
    pub owner_role: Arc<str>,
    pub escalation_role: Arc<str>,
    pub below: Vec<Below>,
}

/// A limit, and the severity of a margin under it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Below {
    pub ratio: f64,
    pub severity: Severity,
}

/// See the module's page.
#[derive(Clone)]
pub(super) struct MarginRule {
    settings: MarginSettings,
    retailers: BTreeMap<Arc<str>, Retailer>,
}

/// The state of a retailer: its newest window, and its alert if one is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Retailer {
    window_end: TimestampMs,
    territory_id: Arc<str>,
    class_id: Arc<str>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    severity: Severity,
    first_fired_at: TimestampMs,
}

/// A revision of one retailer's row.
#[derive(Clone, Debug)]
struct MarginRow {
    window_start: TimestampMs,
    window_end: TimestampMs,
    customer_id: Arc<str>,
    territory_id: Arc<str>,
    class_id: Arc<str>,
    /// In millionths of a fen.
    sales: i128,
    cost: i128,
    skus: i64,
    n: i64,
}

/// Where a margin lies among the limits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum MarginLevel {
    Below(Below),
    /// Above the limits and under `resolved_from`.
    Between,
    Sufficient,
    /// Too few SKUs or no sales: the margin says nothing.
    Unknown,
}

impl MarginRule {
    /// A rule without open alerts.
    ///
    /// # Errors
    /// No limit at all, or limits that leave no room for hysteresis.
    pub(super) fn new(mut settings: MarginSettings) -> crate::error::Result<Self> {
        let wrong = |what| wrong_setting(&settings.rule_id, what);
        if settings.below.is_empty() {
            return Err(wrong(
                "it has no limit; add a [[below]] with ratio and severity",
            ));
        }
        if settings
            .below
            .iter()
            .any(|below| below.ratio > settings.resolved_from_ratio)
        {
            return Err(wrong(
                "resolved_from_ratio is under a limit, so that an alert would flap; raise it",
            ));
        }
        // The lowest limit first: it has the highest severity.
        settings.below.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        Ok(Self {
            settings,
            retailers: BTreeMap::new(),
        })
    }

    /// As `ops.rules` lists it.
    pub(super) fn card(&self) -> RuleCard {
        let limits: Vec<String> = self
            .settings
            .below
            .iter()
            .rev()
            .map(|below| {
                format!(
                    "{} under {} %",
                    below.severity.as_str(),
                    percent(below.ratio)
                )
            })
            .collect();
        let worst = self.settings.below.iter().map(|below| below.severity).min();
        RuleCard {
            rule_id: self.settings.rule_id.clone(),
            rule_version: self.settings.version,
            title: self.settings.title.clone(),
            condition: format!(
                "{METRIC} {WINDOW_KIND}, observed SKUs at least {}: {}; resolved from {} %",
                self.settings.observed_skus_at_least,
                limits.join(", "),
                percent(self.settings.resolved_from_ratio),
            ),
            severity: worst.unwrap_or(Severity::S4),
            owner_role: self.settings.owner_role.clone(),
            escalation_role: self.settings.escalation_role.clone(),
        }
    }

    fn classify(&self, row: &MarginRow) -> MarginLevel {
        if row.n <= 0 || row.skus < self.settings.observed_skus_at_least || row.sales <= 0 {
            return MarginLevel::Unknown;
        }
        let is_under = |ratio: f64| {
            row.sales.saturating_sub(row.cost).saturating_mul(MILLION)
                < row.sales.saturating_mul(millionths(ratio))
        };
        if let Some(below) = self
            .settings
            .below
            .iter()
            .find(|below| is_under(below.ratio))
        {
            MarginLevel::Below(*below)
        } else if is_under(self.settings.resolved_from_ratio) {
            MarginLevel::Between
        } else {
            MarginLevel::Sufficient
        }
    }

    /// Applies one revision.
    fn apply(&mut self, row: &MarginRow) -> Option<AlertChange> {
        let known = self.retailers.get(&row.customer_id);
        let is_gone = row.n <= 0;
        let counts = match known {
            // A row that is gone because the retailer changed territory has been replaced by another of the same window.
            Some(known) if is_gone => {
                known.window_end == row.window_end
                    && known.territory_id == row.territory_id
                    && known.class_id == row.class_id
            }
            Some(known) => known.window_end <= row.window_end,
            None => !is_gone,
        };
        if !counts {
            return None;
        }
        let open = known.and_then(|known| known.open);
        let level = self.classify(row);
        let (state, open_now) = next(open, level, row.window_end);
        self.retailers.insert(
            row.customer_id.clone(),
            Retailer {
                window_end: row.window_end,
                territory_id: row.territory_id.clone(),
                class_id: row.class_id.clone(),
                open: open_now,
            },
        );
        let about = open_now.or(open)?;
        Some(self.change(row, state?, level, about))
    }

    fn change(
        &self,
        row: &MarginRow,
        state: AlertState,
        level: MarginLevel,
        about: Open,
    ) -> AlertChange {
        let value = match level {
            MarginLevel::Unknown => None,
            _ => Some(row.sales.saturating_sub(row.cost) as f64 / row.sales as f64),
        };
        let limit = match level {
            MarginLevel::Below(below) => Some(below.ratio),
            MarginLevel::Sufficient => Some(self.settings.resolved_from_ratio),
            MarginLevel::Between | MarginLevel::Unknown => None,
        };
        AlertChange {
            rule_id: self.settings.rule_id.clone(),
            rule_version: self.settings.version,
            state,
            severity: about.severity,
            dedupe_key: format!("{}|{}", self.settings.rule_id, row.customer_id).into(),
            subjects: vec![row.customer_id.clone(), row.territory_id.clone()],
            value,
            limit,
            about: AlertScope::Window {
                start: row.window_start,
                end: row.window_end,
            },
            first_fired_at: about.first_fired_at,
            transitioned_at: row.window_end,
            // A margin follows from hundreds of observations; the row itself is the evidence.
            evidence: Vec::new(),
            owner_role: self.settings.owner_role.clone(),
            escalation_role: self.settings.escalation_role.clone(),
        }
    }
}

/// The state machine: how a margin changes an alert.
fn next(
    open: Option<Open>,
    level: MarginLevel,
    at: TimestampMs,
) -> (Option<AlertState>, Option<Open>) {
    match (open, level) {
        (None, MarginLevel::Below(below)) => (
            Some(AlertState::Firing),
            Some(Open {
                severity: below.severity,
                first_fired_at: at,
            }),
        ),
        (Some(open), MarginLevel::Below(below)) if open.severity != below.severity => (
            Some(AlertState::Updated),
            Some(Open {
                severity: below.severity,
                ..open
            }),
        ),
        (Some(_), MarginLevel::Sufficient) => (Some(AlertState::Resolved), None),
        (Some(_), MarginLevel::Unknown) => (Some(AlertState::Withdrawn), None),
        (open, _) => (None, open),
    }
}

fn millionths(ratio: f64) -> i128 {
    // Rounded: the nearest double to 0.09 must be 90,000.
    (ratio * MILLION as f64).round() as i128
}

fn percent(ratio: f64) -> f64 {
    millionths(ratio) as f64 / 10_000.0
}

/// The rows of windows of 28 days, in an order that does not depend on the batch.
fn read(batch: &RecordBatch) -> Result<Vec<MarginRow>, ArrowError> {
    let columns = Columns::of(batch);
    let window_kind = columns.text("window_kind")?;
    let window_start = columns.instant("window_start")?;
    let window_end = columns.instant("window_end")?;
    let customer_id = columns.text("customer_id")?;
    let territory_id = columns.text("territory_id")?;
    let class_id = columns.text("class_id")?;
    let sales = columns.decimal("observed_sales_fen")?;
    let cost = columns.decimal("observed_cost_fen")?;
    let skus = columns.integer("observed_skus_n")?;
    let n = columns.integer("n")?;
    let row = |row| {
        Some(MarginRow {
            window_start: window_start.get(row)?,
            window_end: window_end.get(row)?,
            customer_id: customer_id.shared(row)?,
            territory_id: territory_id.shared(row)?,
            class_id: class_id.shared(row)?,
            sales: sales.get(row).unwrap_or(0),
            cost: cost.get(row).unwrap_or(0),
            skus: skus.get(row).unwrap_or(0),
            n: n.get(row).unwrap_or(0),
        })
    };
    let mut rows = Vec::new();
    for index in (0..batch.num_rows()).filter(|&index| window_kind.is(index, WINDOW_KIND)) {
        rows.push(row(index).ok_or_else(|| {
            ArrowError::InvalidArgumentError(format!(
                "metrics.{METRIC}: row={index} lacks its window or an id"
            ))
        })?);
    }
    // By window, and within a window rows that hold before rows that are gone.
    rows.sort_by(|a, b| {
        let key = |row: &MarginRow| (row.window_end, row.customer_id.clone(), row.n <= 0);
        key(a).cmp(&key(b))
    });
    Ok(rows)
}

impl AlertRule for MarginRule {
    fn rule_id(&self) -> &str {
        &self.settings.rule_id
    }

    fn version(&self) -> u32 {
        self.settings.version
    }

    fn input(&self) -> RuleInput {
        RuleInput::Rows {
            metric: METRIC,
            window_kind: WINDOW_KIND,
        }
    }

    fn observe(&mut self, batch: &RecordBatch, _now: RuleTime) -> Result<Vec<AlertChange>> {
        let rows = read(batch)?;
        Ok(rows.iter().filter_map(|row| self.apply(row)).collect())
    }

    /// Only rows change an alert of this rule.
    fn tick(&mut self, _now: RuleTime) -> Vec<AlertChange> {
        Vec::new()
    }

    fn next_timer(&self) -> Option<TimestampMs> {
        None
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(postcard::to_stdvec(&self.retailers)?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.retailers = postcard::from_bytes(bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
