//! What a person who runs the service should learn of.

mod outage;

pub(crate) use outage::Outage;
