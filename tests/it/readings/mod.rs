//! Settled readings over a distributor by hand, each situation held against the oracle.

mod distributor;
mod every_situation;
mod margin_alerts;
mod topic_names;
