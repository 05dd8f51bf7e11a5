//! What is remembered of one retailer: its rows of the last eight weeks, and the alert as receivers know it. Pure.

use std::collections::BTreeMap;

use pipeline::alert::{AlertReason, AlertState};
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::fold::{Comparison, Finding, MarginLevel, Open, Restated, Step, fold, next};
use super::{MarginRow, MarginSettings, REMEMBERED};

/// From one window to the next.
const WEEK: DurationMs = DurationMs::from_days(7);

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Retailer {
    /// Latest revisions by the end of their windows.
    rows: BTreeMap<TimestampMs, MarginRow>,
    /// The alert that was open when the rows before these left, and the last judgement of those.
    before: Option<Open>,
    judged_before: Option<Finding>,
    /// Transitions that `rows` have brought about.
    steps: Vec<Step>,
    /// The alert as receivers know it.
    announced: Option<Open>,
}

/// A transition to record.
pub(super) struct Said {
    pub step: Step,
    pub at: TimestampMs,
    pub reason: Option<AlertReason>,
}

impl Said {
    fn at_its_window(step: Step, reason: Option<AlertReason>) -> Self {
        let at = step.at();
        Self { step, at, reason }
    }
}

impl Retailer {
    /// Applies revisions, by window, and time: `reached` is how far windows have come, `clock` how far events have. Rows older than
    /// eight weeks change nothing.
    pub(super) fn apply(
        &mut self,
        revisions: Vec<MarginRow>,
        settings: &MarginSettings,
        reached: TimestampMs,
        clock: TimestampMs,
    ) -> Vec<Said> {
        let cutoff = reached - REMEMBERED;
        self.expire(cutoff, settings);
        let newest = self.newest();
        let (known, further): (Vec<_>, Vec<_>) = revisions
            .into_iter()
            .filter(|row| row.window_end > cutoff)
            .partition(|row| Some(row.window_end) <= newest);
        let mut said = Vec::new();
        if let Some(last) = known.last().cloned() {
            known.into_iter().for_each(|row| self.put(row));
            self.restate(&last, settings, clock, &mut said);
        }
        for row in further.into_iter().filter(|row| row.n > 0) {
            said.extend(self.resolve_without_data(settings, row.window_end));
            said.extend(self.add(row, settings));
        }
        said.extend(self.resolve_without_data(settings, reached));
        said
    }

    /// Until when an open alert waits for a judgement.
    pub(super) fn due_at(&self, settings: &MarginSettings) -> Option<TimestampMs> {
        self.announced?;
        let judged = self.last_judged(settings)?;
        Some(judged.window_end + REMEMBERED)
    }

    /// Nothing is open, and no row is younger than `cutoff`.
    pub(super) fn is_forgotten(&self, cutoff: TimestampMs) -> bool {
        self.announced.is_none() && self.newest().is_none_or(|newest| newest <= cutoff)
    }

    fn newest(&self) -> Option<TimestampMs> {
        self.rows.last_key_value().map(|(end, _)| *end)
    }

    fn last_judged(&self, settings: &MarginSettings) -> Option<Finding> {
        let judged = self.rows.values().rev().find_map(|row| {
            let (level, finding) = settings.judge(row);
            (level != MarginLevel::NotJudged).then_some(finding)
        });
        judged.or_else(|| self.judged_before.clone())
    }

    /// Rows of windows that end at `cutoff` or before leave; what they came to is the beginning of the fold.
    fn expire(&mut self, cutoff: TimestampMs, settings: &MarginSettings) {
        while let Some(oldest) = self.rows.first_entry().filter(|row| *row.key() <= cutoff) {
            let (level, finding) = settings.judge(&oldest.remove());
            if level != MarginLevel::NotJudged {
                self.judged_before = Some(finding.clone());
            }
            self.before = next(self.before, level, finding).1;
        }
        self.steps.retain(|step| step.at() > cutoff);
    }

    /// Puts the latest revision of a known window in its place.
    fn put(&mut self, row: MarginRow) {
        if row.n > 0 {
            self.rows.insert(row.window_end, row);
            return;
        }
        // A row that is gone because the retailer changed territory or class has been replaced by another of the same window.
        let is_same = |known: &MarginRow| {
            (&known.territory_id, &known.class_id) == (&row.territory_id, &row.class_id)
        };
        if self.rows.get(&row.window_end).is_some_and(is_same) {
            self.rows.remove(&row.window_end);
        }
    }

    /// The row of a further window: one more step.
    fn add(&mut self, row: MarginRow, settings: &MarginSettings) -> Option<Said> {
        let (level, finding) = settings.judge(&row);
        self.rows.insert(row.window_end, row);
        let (step, open) = next(self.announced, level, finding);
        self.announced = open;
        let step = step?;
        self.steps.push(step.clone());
        Some(Said::at_its_window(step, None))
    }

    /// The fold anew, after rows of known windows have changed. `revised` is the newest of these.
    fn restate(
        &mut self,
        revised: &MarginRow,
        settings: &MarginSettings,
        clock: TimestampMs,
        said: &mut Vec<Said>,
    ) {
        let rows = self.rows.values().map(|row| settings.judge(row));
        let (after, open) = fold(self.before, rows);
        let newest = self.rows.values().next_back().unwrap_or(revised);
        let (_, finding) = settings.judge(newest);
        let comparison = Comparison {
            before: &self.steps,
            after: &after,
            announced: self.announced,
            open,
            newest: &finding,
        };
        let Restated {
            withdrawn,
            late,
            now,
        } = comparison.restate();

        let stays_quiet = self.announced.is_none() && now.is_none();
        let reason = (!stays_quiet).then_some(AlertReason::Late);
        let withdrawn = withdrawn.into_iter();
        said.extend(withdrawn.map(|step| Said::at_its_window(step, reason)));
        let late = late.into_iter();
        said.extend(late.map(|step| Said::at_its_window(step, Some(AlertReason::Late))));
        if let Some(step) = now {
            let is_present = finding.window_end + WEEK > clock;
            let at = if is_present {
                clock.max(finding.window_end)
            } else {
                finding.window_end
            };
            self.announced = open.map(|_| step.open);
            said.push(Said {
                step,
                at,
                reason: None,
            });
        }
        self.steps = after;
    }

    fn resolve_without_data(
        &mut self,
        settings: &MarginSettings,
        now: TimestampMs,
    ) -> Option<Said> {
        let open = self.announced?;
        let judged = self.last_judged(settings)?;
        let due = judged.window_end + REMEMBERED;
        if now < due {
            return None;
        }
        self.announced = None;
        self.before = None;
        self.judged_before = None;
        Some(Said {
            step: Step {
                state: AlertState::Resolved,
                open,
                finding: Finding {
                    value: None,
                    limit: None,
                    ..judged
                },
            },
            at: due,
            reason: Some(AlertReason::NoData),
        })
    }
}
