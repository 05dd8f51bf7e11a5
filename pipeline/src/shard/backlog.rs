//! What waits between shards and publisher, bounded in bytes: a slow store slows reading.
//!
//! The bytes of a dead letter count several times. Events leave most of their bytes behind when they are decoded; a dead letter
//! keeps all of them, in the seal, in the row of its table, in the Parquet file and in the record for its topic. So bad input
//! makes seals and epochs come earlier, and not larger.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::seal::Seal;

/// How often a byte of a dead letter counts.
pub(super) const DEAD_LETTER_COPIES: usize = 4;

/// What a seal counts for: the bytes of its payload in the log, those of dead letters as often as they are kept.
pub fn backlog_bytes(payload_bytes: usize, seal: &Seal) -> usize {
    payload_bytes + (DEAD_LETTER_COPIES - 1) * seal.dead_letter_bytes()
}

/// Bytes of seals, see [`backlog_bytes`], that are durable and not yet part of an intent, over all shards of the process.
#[derive(Debug)]
pub struct Backlog {
    limit: usize,
    bytes: AtomicUsize,
}

impl Backlog {
    /// Shards stop reading at `limit` bytes. It has to be above the bytes at which an epoch comes early.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: AtomicUsize::new(0),
        }
    }

    /// A seal of so many bytes has become durable.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Seals of so many bytes have become part of an intent.
    pub fn release(&self, bytes: usize) {
        let subtract = |held: usize| Some(held.saturating_sub(bytes));
        // The closure always gives a value, so this cannot fail.
        let _ = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
    }

    /// Whether shards have to wait. Seals that answer a round are still written: the publisher waits for them.
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.limit
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back_with_intents_and_never_below_nothing() {
        let backlog = Backlog::new(100);
        backlog.add(60);
        assert!(!backlog.is_full());
        backlog.add(60);
        assert!(backlog.is_full());
        backlog.release(60);
        assert_eq!((backlog.is_full(), backlog.bytes()), (false, 60));
        backlog.release(100);
        assert_eq!(backlog.bytes(), 0);
    }
}
