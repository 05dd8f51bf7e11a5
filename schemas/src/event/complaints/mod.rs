//! `complaints.v1`: service cases, promises, callbacks, surveys, messages (domain 3.4).
//!
//! `base_ref` is matched with `case_id` and `order_id`, so it is an id. `from_unit` and `to_unit` are matched with nothing: texts that
//! are kept only as codes (K46), like `nature`, `root_cause` and `problem_nature`.

mod event_types;
mod fields;

pub(super) use event_types::EVENT_TYPES;
pub(super) use fields::FIELDS;
