//! What the readers know of the producer: an empty lane is an end only while it sends nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What the producer is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct ProducerActivity(Arc<AtomicU8>);

impl ProducerActivity {
    pub(super) const BUSY: u8 = 0;
    pub(super) const RESTING: u8 = 1;
    pub(super) const FINISHED: u8 = 2;

    pub(super) fn set(&self, state: u8) {
        self.0.store(state, Ordering::Release);
    }

    /// Whether everything sent so far is in the lanes and nothing is on its way.
    pub(super) fn is_at_rest(&self) -> bool {
        self.0.load(Ordering::Acquire) != Self::BUSY
    }
}
