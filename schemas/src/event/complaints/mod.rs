//! `complaints.v1`: service cases, promises, callbacks, surveys, messages (domain 3.4).
//!
//! Fields without a list in the domain that may be typed by hand (`nature`, `root_cause`, `problem_nature`) are stored as a length: the
//! metrics only ask whether they were given. `survey_tool` and `respondent_kind` are codes, because M18 groups by them.

mod event_types;
mod fields;

pub(super) use event_types::EVENT_TYPES;
pub(super) use fields::FIELDS;
