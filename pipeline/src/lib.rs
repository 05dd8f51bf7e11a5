//! The engine of Vitrine.

pub mod alert;
pub mod audit;
pub mod columns;
pub mod decode;
pub mod history;
pub mod log;
pub mod pane;
pub mod publish;
pub mod query;
pub mod round;
pub mod run;
pub mod source;
pub mod time;
