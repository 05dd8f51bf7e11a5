//! Metric texts against hand-computed cases, run by DataFusion as the engine runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
