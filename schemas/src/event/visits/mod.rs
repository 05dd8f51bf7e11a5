//! `visits.v1`: plans, visits, and what was collected during them (domain 3.3).
//!
//! The domain gives `visit.class_checked` three values per dimension but no shape: here it is the list `dimensions[]`.

mod event_types;
mod fields;

pub(super) use event_types::EVENT_TYPES;
pub(super) use fields::FIELDS;
