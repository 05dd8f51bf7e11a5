//! Customer service: cases from calls, messages and visits; surveys.

pub(crate) mod case;
mod course;
mod intake;
pub(crate) mod invitation;
mod messages;
mod report;
mod service_desk;
mod survey;

pub(crate) use service_desk::ServiceDesk;
