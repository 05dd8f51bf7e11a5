//! One invitation to a survey.

use super::intake::Desk;

/// An invitation that will be answered.
pub(crate) struct Invitation {
    pub(super) survey_id: String,
    pub(super) customer: u32,
    pub(super) desk: Desk,
    pub(super) tool: &'static str,
    pub(super) wave: String,
    pub(super) case_id: Option<String>,
}
