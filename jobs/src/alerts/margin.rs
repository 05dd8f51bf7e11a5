//! A01: a retailer's margin over four weeks is too low (K22, K33).
//!
//! ```text
//!            under a limit                 at resolved_from or above ─▶ resolved
//!  quiet ───────────────────▶ firing ──┤   another severity ─▶ updated
//!                                          eight weeks without a judgement ─▶ resolved (no_data)
//! ```
//!
//! The state of a retailer is the **fold** of this machine over the latest revisions of its windows of the last eight weeks, in their
//! order. A row with too few SKUs or without sales is skipped: it neither fires nor resolves. Between the limits and `resolved_from` an
//! open alert stays as it is (hysteresis).
//!
//! A row of a further window is a step of the fold, and sent. A revision of a known window makes the fold anew:
//!
//! * The state as of now is another: one transition is sent that leads there, of this moment if the newest window is the last that has
//!   ended (a replay of older windows wakes nobody).
//! * An alert of the past that never fired, as is known now, is withdrawn. Receivers are told unless an alert is open: they would take
//!   it for the end of that one.
//! * A transition of the past that holds now is recorded as `late` and not sent. If the last one recorded would tell another state than
//!   that of now, the state as of now is recorded behind it. So a subject's last row in `ops.alerts` always tells its state.
//!
//! What leaves the eight weeks counts as it stood then: it is the beginning of the fold, and no revision changes it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::alert::{AlertChange, AlertRule, RuleInput, RuleTime, Severity};
use pipeline::columns::Columns;
use pipeline::error::Result;
use pipeline::publisher::RuleCard;
use schemas::id::joined;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use self::fold::{Finding, MarginLevel, Step};
use self::retailer::{Retailer, Said};
use super::rules::wrong_setting;

const METRIC: &str = "retailer_margin";
const WINDOW_KIND: &str = "H28";

/// How long the row of a window is remembered, and after how long without a judgement an alert is resolved (K33).
const REMEMBERED: DurationMs = DurationMs::from_days(56);

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
    /// When nothing will have been judged for too long, of each retailer with an open alert; derived from `retailers`.
    due: BTreeSet<(TimestampMs, Arc<str>)>,
    /// How far windows have come. The clock may be weeks ahead of them, while the service catches up.
    reached: TimestampMs,
}

/// A revision of one retailer's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct MarginRow {
    window_start: TimestampMs,
    window_end: TimestampMs,
    territory_id: Arc<str>,
    class_id: Arc<str>,
    /// In millionths of a fen.
    sales: i128,
    cost: i128,
    skus: i64,
    n: i64,
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
            due: BTreeSet::new(),
            reached: TimestampMs::MIN,
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

    /// Applies what a batch says of one retailer, by window; nothing where only time has gone on.
    fn apply(
        &mut self,
        customer_id: &Arc<str>,
        revisions: Vec<MarginRow>,
        clock: TimestampMs,
    ) -> Vec<AlertChange> {
        let mut retailer = self.retailers.remove(customer_id).unwrap_or_default();
        if let Some(due) = retailer.due_at(&self.settings) {
            self.due.remove(&(due, customer_id.clone()));
        }
        let said = retailer.apply(revisions, &self.settings, self.reached, clock);
        if let Some(due) = retailer.due_at(&self.settings) {
            self.due.insert((due, customer_id.clone()));
        }
        if !retailer.is_forgotten(self.reached - REMEMBERED) {
            self.retailers.insert(customer_id.clone(), retailer);
        }
        self.changes(customer_id, said)
    }

    fn changes(&self, customer_id: &Arc<str>, steps: Vec<Said>) -> Vec<AlertChange> {
        let settings = &self.settings;
        let change = |said: Said| {
            let Step {
                state,
                open,
                finding,
            } = said.step;
            AlertChange {
                rule_id: settings.rule_id.clone(),
                rule_version: settings.version,
                state,
                reason: said.reason,
                severity: open.severity,
                dedupe_key: joined([&*settings.rule_id, customer_id]).into(),
                subjects: vec![customer_id.clone(), finding.territory_id.clone()],
                value: finding.value,
                limit: finding.limit,
                about: finding.scope(),
                first_fired_at: open.first_fired_at,
                transitioned_at: said.at,
                // A margin follows from hundreds of observations; the row itself is the evidence.
                evidence: Vec::new(),
                owner_role: settings.owner_role.clone(),
                escalation_role: settings.escalation_role.clone(),
            }
        };
        steps.into_iter().map(change).collect()
    }

    /// Windows have come as far as `instant`: retailers without rows for eight weeks are forgotten.
    fn reach(&mut self, instant: TimestampMs) {
        if instant <= self.reached {
            return;
        }
        self.reached = instant;
        self.retailers
            .retain(|_, retailer| !retailer.is_forgotten(instant - REMEMBERED));
    }
}

impl MarginSettings {
    fn classify(&self, row: &MarginRow) -> MarginLevel {
        if row.skus < self.observed_skus_at_least || row.sales <= 0 {
            return MarginLevel::NotJudged;
        }
        let is_under = |ratio: f64| {
            row.sales.saturating_sub(row.cost).saturating_mul(MILLION)
                < row.sales.saturating_mul(millionths(ratio))
        };
        if let Some(below) = self.below.iter().find(|below| is_under(below.ratio)) {
            MarginLevel::Below(*below)
        } else if is_under(self.resolved_from_ratio) {
            MarginLevel::Between
        } else {
            MarginLevel::Sufficient
        }
    }

    /// A row as the fold reads it.
    fn judge(&self, row: &MarginRow) -> (MarginLevel, Finding) {
        let level = self.classify(row);
        let finding = Finding {
            window_start: row.window_start,
            window_end: row.window_end,
            territory_id: row.territory_id.clone(),
            value: (level != MarginLevel::NotJudged)
                .then(|| row.sales.saturating_sub(row.cost) as f64 / row.sales as f64),
            limit: match level {
                MarginLevel::Below(below) => Some(below.ratio),
                MarginLevel::Sufficient => Some(self.resolved_from_ratio),
                MarginLevel::Between | MarginLevel::NotJudged => None,
            },
        };
        (level, finding)
    }
}

fn millionths(ratio: f64) -> i128 {
    // Rounded: the nearest double to 0.09 must be 90,000.
    (ratio * MILLION as f64).round() as i128
}

fn percent(ratio: f64) -> f64 {
    millionths(ratio) as f64 / 10_000.0
}

/// The rows of windows of 28 days by customer, in an order that does not depend on the batch.
fn read(batch: &RecordBatch) -> Result<BTreeMap<Arc<str>, Vec<MarginRow>>, ArrowError> {
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
        let read = MarginRow {
            window_start: window_start.get(row)?,
            window_end: window_end.get(row)?,
            territory_id: territory_id.shared(row)?,
            class_id: class_id.shared(row)?,
            sales: sales.get(row).unwrap_or(0),
            cost: cost.get(row).unwrap_or(0),
            skus: skus.get(row).unwrap_or(0),
            n: n.get(row).unwrap_or(0),
        };
        Some((customer_id.shared(row)?, read))
    };
    let mut rows: BTreeMap<Arc<str>, Vec<MarginRow>> = BTreeMap::new();
    for index in (0..batch.num_rows()).filter(|&index| window_kind.is(index, WINDOW_KIND)) {
        let (customer_id, row) = row(index).ok_or_else(|| {
            ArrowError::InvalidArgumentError(format!(
                "metrics.{METRIC}: row={index} lacks its window or an id"
            ))
        })?;
        rows.entry(customer_id).or_default().push(row);
    }
    // By window, and within a window rows that hold before rows that are gone.
    for of_customer in rows.values_mut() {
        of_customer.sort_by_key(|row| (row.window_end, row.n <= 0));
    }
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

    fn observe(&mut self, batch: &RecordBatch, now: RuleTime) -> Result<Vec<AlertChange>> {
        let rows = read(batch)?;
        let ends = rows.values().flatten().map(|row| row.window_end);
        if let Some(newest) = ends.max() {
            self.reach(newest);
        }
        let mut changes = Vec::new();
        for (customer_id, revisions) in rows {
            changes.extend(self.apply(&customer_id, revisions, now.clock));
        }
        Ok(changes)
    }

    /// Time alone ends an alert of which nothing is known any more.
    fn tick(&mut self, now: RuleTime) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        if self.due.first().is_none_or(|(due, _)| *due > now.clock) {
            return changes;
        }
        self.reach(now.clock);
        while let Some((due, customer_id)) = self.due.first().cloned() {
            if due > now.clock {
                break;
            }
            changes.extend(self.apply(&customer_id, Vec::new(), now.clock));
        }
        changes
    }

    fn next_timer(&self) -> Option<TimestampMs> {
        self.due.first().map(|(due, _)| *due)
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(postcard::to_stdvec(&(self.reached, &self.retailers))?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        (self.reached, self.retailers) = postcard::from_bytes(bytes)?;
        let due = self.retailers.iter().filter_map(|(customer_id, retailer)| {
            Some((retailer.due_at(&self.settings)?, customer_id.clone()))
        });
        self.due = due.collect();
        Ok(())
    }
}

mod fold;
mod retailer;
#[cfg(test)]
mod tests;
