//! Reports of key-account specialists: sign-ins, monthly plans, appraisals.

use schemas::event::Topic;
use schemas::time::TimestampMs;

use super::FieldForce;
use crate::arrivals::{Envelope, Subject};
use crate::context::SimulationContext;
use crate::world::Area;

/// Sign-ins after 08:30, per mille.
const LATE_SIGN_IN: u32 = 30;

impl FieldForce {
    /// Sign-ins on every working day; plans of the next month and appraisals on the last one of a month; on the first simulated
    /// day a revision of the current month's plans.
    pub(super) fn report_staff(&mut self, context: &mut SimulationContext<'_, '_>) {
        for (index, area) in (0..).zip(&context.world.organisation.areas) {
            self.sign_in(context, area, index);
            let (this_month, next_month) =
                (context.day.month().to_owned(), context.day.next_month());
            if context.day.number == 0 {
                self.submit_plans(context, area, &this_month, 2);
            }
            if context.day.is_last_working_of_month {
                self.submit_plans(context, area, &next_month, 1);
                let score = self.random.between(8_000, 10_000);
                let envelope = by_staff(area, "visit.appraisal_recorded", context.day.at(17, 0));
                context.arrivals.post(&envelope, |payload| {
                    payload
                        .text("month", &this_month)
                        .text("item", "DAILY_WORK")
                        .int("score_bp", score);
                });
            }
        }
    }

    fn sign_in(&mut self, context: &mut SimulationContext<'_, '_>, area: &Area, index: u32) {
        let minutes = if self.random.permille(LATE_SIGN_IN) {
            self.random.minutes(32, 70)
        } else {
            self.random.minutes(-20, 20)
        };
        let envelope = by_staff(area, "visit.day_signed_in", context.day.at(8, 0) + minutes);
        let line = self
            .random
            .weighted(&[(85, "FIXED_LOCAL"), (5, "MOBILE"), (10, "APP")]);
        let territories = &context.world.organisation.territories;
        let home = territories.iter().find(|territory| territory.area == index);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("line_kind", line)
                .text_if(
                    "territory_id",
                    home.map(|territory| territory.territory_id.as_str()),
                )
                .text("recorded_by_role", "CS_DUTY_CLERK");
        });
    }

    fn submit_plans(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        area: &Area,
        month: &str,
        revision: i64,
    ) {
        for (kind, count) in [("VISIT", 40), ("EXTENSION", 6), ("DEAL", 2)] {
            let at = context.day.at(10, 0) + self.random.minutes(0, 240);
            let envelope = by_staff(area, "visit.plan_submitted", at);
            let plan_id = format!("P-{}-{month}-{kind}", area.key_account_specialist_id);
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("plan_id", &plan_id)
                    .text("plan_month", month)
                    .text("plan_kind", kind)
                    .int("planned_count", count)
                    .int("revision", revision);
            });
        }
    }
}

fn by_staff<'e>(
    area: &'e Area,
    event_type: &'static str,
    occurred_at: TimestampMs,
) -> Envelope<'e> {
    Envelope {
        topic: Topic::Visits,
        event_type,
        occurred_at,
        source: "FIELD_APP",
        subject: Subject::Staff(&area.key_account_specialist_id),
        actor_id: Some(&area.key_account_specialist_id),
        actor_role: "KA_SPECIALIST",
        unit_id: Some("U-KA"),
        corrects: None,
    }
}
