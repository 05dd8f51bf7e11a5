//! Satisfaction surveys: invitations and answers.

use schemas::event::Topic;

use super::ServiceDesk;
use super::intake::Desk;
use super::invitation::Invitation;
use crate::agenda::Action;
use crate::arrivals::Envelope;
use crate::context::{SimulationContext, about_customer};
use crate::random::RandomGenerator;

/// Customers per mille and day who are invited without a case, and answers per mille of invitations.
const INVITED: u32 = 70;
const ANSWERED: u32 = 450;
/// Questions left unanswered, per mille of those asked.
const SKIPPED: u32 = 25;

/// Q6 is about the office and only asked about desks that have one.
const QUESTIONS: [&str; 7] = ["Q0", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6"];
/// Scores with their weights.
const USUAL: [(u32, i64); 5] = [(46, 5), (40, 4), (9, 3), (3, 2), (2, 1)];
const DISSATISFIED: [(u32, i64); 5] = [(6, 5), (14, 4), (30, 3), (30, 2), (20, 1)];

impl ServiceDesk {
    /// Invites some customers without an occasion.
    pub(super) fn invite_at_random(&mut self, context: &mut SimulationContext<'_, '_>, index: u32) {
        if !self.surveys.permille(INVITED) || !context.day.is_working {
            return;
        }
        let customer = context.customer(index);
        let desk = Desk::Area(context.world.territory(customer).area);
        let now = context.now;
        context.now = context.day.at(9, 0) + self.surveys.minutes(0, 420);
        self.invite(context, index, desk, None);
        context.now = now;
    }

    /// Sends an invitation at `context.now`; some are answered within three days.
    pub(super) fn invite(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
        desk: Desk,
        case_id: Option<&str>,
    ) {
        self.invitations += 1;
        let tool = match case_id {
            Some(_) => "PHONE_CALLBACK",
            None => self.surveys.weighted(&[
                (70, "QUESTIONNAIRE"),
                (20, "FACE_TO_FACE"),
                (10, "COMMENT_CARD"),
            ]),
        };
        let invitation = Invitation {
            survey_id: format!("SV{:07}", self.invitations),
            customer: index,
            desk,
            tool,
            wave: format!("W{}", context.day.iso_week),
            case_id: case_id.map(str::to_owned),
        };
        post(context, "survey.sent", &invitation, &[]);
        if self.surveys.permille(ANSWERED) {
            let at = context.now + self.surveys.minutes(30, 4_000);
            context
                .agenda
                .schedule(at, Action::AnswerSurvey(Box::new(invitation)));
        }
    }

    /// A customer answers.
    pub(crate) fn answer(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        invitation: &Invitation,
    ) {
        let is_dissatisfied = match (context.world.anomalies.dissatisfied_area, invitation.desk) {
            (Some((area, period)), Desk::Area(asked)) => {
                asked == area && period.contains(context.now)
            }
            _ => false,
        };
        let asked = match invitation.desk {
            Desk::CallCentre => &QUESTIONS[..6],
            Desk::Area(_) => &QUESTIONS[..],
        };
        let answers: Vec<_> = asked
            .iter()
            .map(|question| (*question, score(is_dissatisfied, &mut self.surveys)))
            .collect();
        post(context, "survey.answered", invitation, &answers);
    }
}

fn score(is_dissatisfied: bool, random: &mut RandomGenerator) -> Option<i64> {
    let score = random.weighted(if is_dissatisfied {
        &DISSATISFIED
    } else {
        &USUAL
    });
    (!random.permille(SKIPPED)).then_some(score)
}

fn post(
    context: &mut SimulationContext<'_, '_>,
    event_type: &'static str,
    invitation: &Invitation,
    answers: &[(&str, Option<i64>)],
) {
    let customer = context.customer(invitation.customer);
    let envelope = Envelope {
        unit_id: Some(invitation.desk.unit_id(context.world)),
        ..about_customer(Topic::Complaints, event_type, context.now, "CRM", customer)
    };
    context.arrivals.post(&envelope, |payload| {
        payload
            .text("survey_id", &invitation.survey_id)
            .text("wave", &invitation.wave)
            .text("survey_tool", invitation.tool)
            .text("respondent_kind", customer.kind.name())
            .text_if("case_id", invitation.case_id.as_deref());
        if !answers.is_empty() {
            payload.list("answers", answers, |answer, (question, score)| {
                answer.text("question_id", question);
                match score {
                    Some(score) => answer.int("score", *score),
                    None => answer.null("score"),
                };
            });
        }
    });
}
