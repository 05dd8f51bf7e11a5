//! `--dirty`: injects the faults of real sources. `injector` lists them with their rates and labels.

mod flaws;
mod injector;

pub(crate) use injector::{FaultInjector, Injection};
