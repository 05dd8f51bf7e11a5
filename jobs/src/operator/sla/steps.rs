//! `facts.sla_steps`: the outcome of one step of one case, counted at its deadline.

use std::sync::Arc;

use pipeline::columns::{FactColumn, FactTable};
use pipeline::history::Fact;
use schemas::time::{DurationMs, TimestampMs};

use super::case::{Case, ContactEnd, Moment};
use super::policy::StepDefinition;
use crate::reference::UNKNOWN;

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepOutcome {
    /// Stopped at the deadline or before; also before the start.
    Met,
    /// The deadline has passed without a stop; a late stop does not change that.
    Breached,
    Pending,
    /// The case was answered at once, before the step was over (K34).
    NotApplicable,
    /// The case was withdrawn.
    Void,
}

impl StepOutcome {
    /// The name in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Met => "MET",
            Self::Breached => "BREACHED",
            Self::Pending => "PENDING",
            Self::NotApplicable => "NOT_APPLICABLE",
            Self::Void => "VOID",
        }
    }

    /// The inverse of [`StepOutcome::as_str`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Met,
            Self::Breached,
            Self::Pending,
            Self::NotApplicable,
            Self::Void,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
    }
}

/// One step of one case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlaStep {
    pub customer_id: Arc<str>,
    pub case_id: Arc<str>,
    pub step_id: Arc<str>,
    pub case_kind: Arc<str>,
    pub category: Arc<str>,
    pub unit_id: Arc<str>,
    pub owner_role: Arc<str>,
    pub started_at: TimestampMs,
    pub deadline: TimestampMs,
    /// When the early warning was due with the step still pending.
    pub warned_at: Option<TimestampMs>,
    pub stopped_at: Option<TimestampMs>,
    pub outcome: StepOutcome,
    /// How late a breached step was stopped.
    pub overrun: Option<DurationMs>,
    /// Events that opened the case, started and stopped the step.
    pub evidence: Vec<Arc<str>>,
}

static TABLE: FactTable<SlaStep> = FactTable::new(
    "Steps of service cases, each at its deadline (服务时限)",
    &[
        FactColumn::text("customer_id", "Customer (客户)", |f| &f.customer_id),
        FactColumn::text("case_id", "Case (服务个案)", |f| &f.case_id),
        FactColumn::text(
            "step_id",
            "Step of the table of time limits (时限环节)",
            |f| &f.step_id,
        ),
        FactColumn::text("case_kind", "Kind of case (个案类型)", |f| &f.case_kind),
        FactColumn::text("category", "What the case is about (类别)", |f| {
            &f.category
        }),
        FactColumn::text("unit_id", "Unit that opened the case (部门)", |f| {
            &f.unit_id
        }),
        FactColumn::text(
            "owner_role",
            "Role that owns the step (责任角色)",
            |f| &f.owner_role,
        ),
        FactColumn::instant("started_at", "When the step started, UTC (开始)", |f| {
            f.started_at
        }),
        FactColumn::instant("deadline", "When it is due, UTC (时限)", |f| f.deadline),
        FactColumn::optional_instant(
            "warned_at",
            "When the early warning was due with the step pending, UTC (预警)",
            |f| f.warned_at,
        ),
        FactColumn::optional_instant("stopped_at", "When it was stopped, UTC (停止)", |f| {
            f.stopped_at
        }),
        FactColumn::text(
            "outcome",
            "MET, BREACHED, PENDING, NOT_APPLICABLE or VOID (结果)",
            |f| f.outcome.as_str(),
        ),
        FactColumn::optional_integer(
            "overrun_ms",
            "How late a breached step was stopped, in milliseconds (超时)",
            |f| f.overrun.map(DurationMs::as_ms),
        ),
        FactColumn::text_list("evidence", "Events that decide it (证据)", |f| {
            &f.evidence
        }),
    ],
);

impl Fact for SlaStep {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.deadline
    }
}

/// The step at this clock, and the instant at which the clock can change it; no fact while its start is not known.
pub(super) fn decide(
    step: &StepDefinition,
    customer_id: &Arc<str>,
    case_id: &Arc<str>,
    case: &Case,
    clock: TimestampMs,
) -> (Option<SlaStep>, Option<TimestampMs>) {
    let Some(start) = start(step, case) else {
        let ContactEnd::AwaitedUntil(until) = case.contact_end else {
            return (None, None);
        };
        return (None, Some(until));
    };
    let deadline = start.at + step.limit;
    let warned_from = start.at + step.warning_after();
    let stop = stop(step, case);
    let stopped_by = |by: TimestampMs| stop.is_some_and(|stop| stop.at <= by);

    let outcome = if case.withdrawn {
        StepOutcome::Void
    } else if case.answered_at_once_at.is_some_and(|at| at <= deadline) {
        // K34: after the deadline a breach stands.
        StepOutcome::NotApplicable
    } else if stopped_by(deadline) {
        StepOutcome::Met
    } else if clock > deadline {
        StepOutcome::Breached
    } else {
        StepOutcome::Pending
    };
    let counts = !matches!(outcome, StepOutcome::Void | StepOutcome::NotApplicable);
    // A stop after the warning proves that the step was pending then, wherever the clock is.
    let is_past_warning = clock >= warned_from || stop.is_some();
    let is_warned = counts && is_past_warning && !stopped_by(warned_from);
    let timer = (outcome == StepOutcome::Pending).then(|| {
        if !is_past_warning {
            warned_from
        } else {
            // A clock at the deadline has not passed it.
            deadline + DurationMs::from_ms(1)
        }
    });
    let mut evidence = vec![case.opened_by.clone()];
    for moment in [Some(&start), stop].into_iter().flatten() {
        if !evidence.contains(&moment.event_id) {
            evidence.push(moment.event_id.clone());
        }
    }
    let fact = SlaStep {
        customer_id: customer_id.clone(),
        case_id: case_id.clone(),
        step_id: step.step_id.clone(),
        case_kind: case.kind.clone(),
        category: case.category.clone().unwrap_or_else(|| UNKNOWN.into()),
        unit_id: case.unit_id.clone().unwrap_or_else(|| UNKNOWN.into()),
        owner_role: step.owner_role.clone(),
        started_at: start.at,
        deadline,
        warned_at: is_warned.then_some(warned_from),
        stopped_at: stop.map(|stop| stop.at),
        outcome,
        overrun: stop
            .filter(|_| outcome == StepOutcome::Breached)
            .map(|stop| stop.at - deadline),
        evidence,
    };
    (Some(fact), timer)
}

/// The moment of the mark that starts the step, else its fall-back; `None` while neither is known.
fn start(step: &StepDefinition, case: &Case) -> Option<Moment> {
    if let Some(start) = case.first(step.start) {
        return Some(start.clone());
    }
    let fall_back = step.fall_back?;
    let ContactEnd::At(contact_end) = &case.contact_end else {
        return None;
    };
    Some(Moment {
        at: contact_end.at + fall_back,
        event_id: contact_end.event_id.clone(),
    })
}

/// The first moment of the marks that stop the step.
fn stop<'a>(step: &StepDefinition, case: &'a Case) -> Option<&'a Moment> {
    step.stop
        .iter()
        .filter_map(|mark| case.first(*mark))
        .min_by_key(|moment| moment.at)
}
