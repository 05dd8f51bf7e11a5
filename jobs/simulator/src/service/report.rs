//! The events of a case's steps (`DOMAIN.md` 3.4).

use schemas::event::Topic;
use schemas::time::{DurationMs, TimestampMs};

use super::ServiceDesk;
use super::case::SimulatedCase;
use super::course::CaseEventKind;
use super::intake::Desk;
use crate::context::{SimulationContext, about_customer};
use crate::payload::Payload;
use crate::world::{Customer, World};

impl ServiceDesk {
    pub(super) fn report(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        case: &SimulatedCase,
        step: CaseEventKind,
    ) {
        if step == CaseEventKind::Surveyed {
            self.invite(
                context,
                case.customer,
                case.intake.desk,
                Some(&case.case_id),
            );
            return;
        }
        let (customer, world, now) = (context.customer(case.customer), context.world, context.now);
        let source = match case.intake.desk {
            Desk::CallCentre => "CALL_CENTRE",
            Desk::Area(_) => "CRM",
        };
        let mut envelope = about_customer(Topic::Complaints, name(step), now, source, customer);
        envelope.unit_id = Some(case.intake.desk.unit_id(world));
        let agents = &world.organisation.agents;
        envelope.actor_id = Some(&agents[case.customer as usize % agents.len()]);
        envelope.actor_role = actor(step);
        let roll = self.random.below(1_000);
        context.arrivals.post(&envelope, |payload| {
            write(payload, world, customer, case, step, roll, now);
        });
    }
}

fn name(step: CaseEventKind) -> &'static str {
    match step {
        CaseEventKind::Opened => "case.opened",
        CaseEventKind::CallEnded => "case.call_ended",
        CaseEventKind::AnsweredAtOnce | CaseEventKind::Answered => "case.answered",
        CaseEventKind::PromiseMade { .. } => "promise.made",
        CaseEventKind::PromiseKept => "promise.kept",
        CaseEventKind::Relayed => "case.relayed",
        CaseEventKind::Transferred => "case.transferred",
        CaseEventKind::ResourceReplied => "case.resource_replied",
        CaseEventKind::DeptNotified { .. } => "case.dept_notified",
        CaseEventKind::Informed { .. } => "case.customer_informed",
        CaseEventKind::ProgressChecked => "case.progress_checked",
        CaseEventKind::Escalated => "case.escalated",
        CaseEventKind::EscalationAnswered => "case.escalation_answered",
        CaseEventKind::RepairCompleted => "case.repair_completed",
        CaseEventKind::Resolved => "case.resolved",
        CaseEventKind::CalledBack { .. } => "callback.attempted",
        CaseEventKind::Surveyed => "survey.sent",
        CaseEventKind::Closed { .. } => "case.closed",
        CaseEventKind::Reopened => "case.reopened",
        CaseEventKind::CauseAnalysed => "case.cause_analysed",
    }
}

fn actor(step: CaseEventKind) -> &'static str {
    match step {
        CaseEventKind::Opened | CaseEventKind::Reopened => "CUSTOMER",
        CaseEventKind::ResourceReplied => "RESOURCE_CENTRE",
        CaseEventKind::RepairCompleted | CaseEventKind::Resolved | CaseEventKind::CauseAnalysed => {
            "DEPT_RESOLVER"
        }
        CaseEventKind::EscalationAnswered => "DUTY_STATION_MANAGER",
        _ => "CALL_AGENT",
    }
}

/// Writes the fields of a step; `roll` (0-999) decides details that do not affect later steps.
fn write(
    payload: &mut Payload,
    world: &World,
    customer: &Customer,
    case: &SimulatedCase,
    step: CaseEventKind,
    roll: u32,
    now: TimestampMs,
) {
    if let CaseEventKind::CalledBack {
        ordinal,
        is_reached,
    } = step
    {
        write_callback(payload, case, ordinal, is_reached, roll);
        return;
    }
    payload.text("case_id", &case.case_id);
    match step {
        CaseEventKind::Opened => write_opening(payload, customer, case, roll, now),
        CaseEventKind::CallEnded => {
            payload.instant("call_ended_at", now);
        }
        CaseEventKind::AnsweredAtOnce | CaseEventKind::Answered => {
            payload
                .text("answered_by_role", actor(step))
                .flag("at_once", step == CaseEventKind::AnsweredAtOnce);
        }
        CaseEventKind::PromiseMade { due_at } => {
            payload
                .text("promise_id", &promise_id(case))
                .text("promise_kind", "REPLY")
                .instant("due_at", due_at);
        }
        CaseEventKind::PromiseKept => {
            payload
                .text("promise_id", &promise_id(case))
                .text("promise_kind", "REPLY")
                .instant("kept_at", now);
        }
        CaseEventKind::Relayed => {
            let from = case.intake.desk.unit_id(world);
            payload
                .text("from_unit", from)
                .text("to_unit", "U-ORD")
                .text("relay_kind", "BACK_OFFICE");
        }
        CaseEventKind::DeptNotified { has_resolver } => {
            let area = world.area(customer);
            payload.text("dept_unit_id", &area.unit_id);
            if has_resolver {
                payload.text("resolver_id", &area.market_manager_id);
            }
        }
        CaseEventKind::Informed { what } => {
            payload.text("what", what);
        }
        CaseEventKind::ProgressChecked => {
            payload.text(
                "progress",
                ["ON_TRACK", "DELAYED", "DONE"][roll as usize % 3],
            );
        }
        CaseEventKind::Escalated => {
            payload.text("to_role", "DUTY_STATION_MANAGER");
        }
        CaseEventKind::RepairCompleted => {
            payload
                .text("sku_id", "DEV001")
                .instant("completed_at", now);
        }
        CaseEventKind::Resolved => {
            payload
                .text("resolution_kind", "SOLVED")
                .flag("customer_confirmed", false);
        }
        CaseEventKind::Closed { resolution } => {
            payload
                .text("resolution_kind", resolution)
                .flag("customer_confirmed", roll < 920);
        }
        CaseEventKind::CauseAnalysed => {
            payload
                .text("responsible_unit_id", &world.area(customer).unit_id)
                .text("nature", "PROCESS")
                .text(
                    "root_cause",
                    ["PLANNING", "TRANSPORT", "TRAINING", "SUPPLY"][roll as usize % 4],
                );
            if roll < 400 {
                payload.text("improvement_id", &format!("IMP-{}", &case.case_id[1..]));
            }
        }
        CaseEventKind::Transferred
        | CaseEventKind::ResourceReplied
        | CaseEventKind::EscalationAnswered
        | CaseEventKind::Reopened
        | CaseEventKind::Surveyed
        | CaseEventKind::CalledBack { .. } => {}
    }
}

fn write_opening(
    payload: &mut Payload,
    customer: &Customer,
    case: &SimulatedCase,
    roll: u32,
    now: TimestampMs,
) {
    let intake = &case.intake;
    let is_call = intake.channel == "PHONE";
    let severity = match (intake.kind, roll) {
        ("RESCUE", _) => "URGENT",
        (_, ..100) => "HIGH",
        (_, 100..800) => "NORMAL",
        _ => "LOW",
    };
    // A case is opened during a call, but up to a minute after a message.
    let waited = if is_call {
        DurationMs::ZERO
    } else {
        DurationMs::from_secs(i64::from(roll % 60))
    };
    payload
        .text("case_kind", intake.kind)
        .text("channel", intake.channel)
        .text("category", intake.category)
        .text("asker_kind", customer.kind.name())
        .text("severity", severity)
        .instant("received_at", now - waited)
        .flag("answered", !intake.is_abandoned);
    if is_call {
        let rings = if intake.is_abandoned {
            6
        } else {
            1 + i64::from(roll % 8 / 2)
        };
        payload.int("ring_count", rings);
    }
    if intake.kind == "RESCUE" {
        let past_the_minute = DurationMs::from_ms(now.as_ms() % DurationMs::MINUTE.as_ms());
        payload
            .text("problem_nature", "BREAKDOWN")
            .text("problem_region_code", "530100")
            .instant("problem_time", now - past_the_minute);
    }
    if roll >= 700 {
        payload.text("free_text", "客户说：\"请尽快处理\"");
    }
}

fn write_callback(
    payload: &mut Payload,
    case: &SimulatedCase,
    ordinal: u8,
    is_reached: bool,
    roll: u32,
) {
    let attempt = if is_reached { "" } else { "-0" };
    let base = if case.intake.kind == "REPAIR" {
        "REPAIR"
    } else {
        "CASE"
    };
    payload
        .text("case_id", &case.case_id)
        .text(
            "callback_id",
            &format!("CB{}-{ordinal}{attempt}", &case.case_id[1..]),
        )
        .text("base", base)
        .text("base_ref", &case.case_id)
        .int("ordinal", i64::from(ordinal))
        .text("outcome", if is_reached { "REACHED" } else { "NO_ANSWER" });
    if is_reached {
        payload
            .int("seconds_to_topic", 3 + i64::from(roll % 8))
            .flag("usage_ok", roll < 960)
            .flag("satisfied", roll < 900);
    }
}

fn promise_id(case: &SimulatedCase) -> String {
    format!("PM{}", &case.case_id[1..])
}
