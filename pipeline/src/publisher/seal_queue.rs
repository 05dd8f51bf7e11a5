//! Seals on their way into an epoch.

use std::collections::BTreeMap;

use super::event::SealedRecord;

/// Seals of the epoch under way, and those behind its cut.
pub(super) struct SealQueue {
    /// Last seal ingested per shard.
    cut: BTreeMap<u32, u64>,
    collected: Vec<SealedRecord>,
    bytes: usize,
    held_back: Vec<SealedRecord>,
    released: usize,
}

impl SealQueue {
    /// The queue behind the cut of the last epoch.
    pub(super) fn new(cut: BTreeMap<u32, u64>) -> Self {
        Self {
            cut,
            collected: Vec::new(),
            bytes: 0,
            held_back: Vec::new(),
            released: 0,
        }
    }

    /// Takes a seal into the epoch; `None` for one that an epoch has already.
    pub(super) fn collect(&mut self, sealed: SealedRecord) -> Option<&SealedRecord> {
        let last = self.cut.get(&sealed.shard);
        if last.is_some_and(|last| *last >= sealed.number) {
            return None;
        }
        self.cut.insert(sealed.shard, sealed.number);
        self.bytes += sealed.bytes;
        self.collected.push(sealed);
        self.collected.last()
    }

    /// A record of a shard's log that is no seal: it only moves the cut.
    pub(super) fn skip(&mut self, shard: u32, number: u64) {
        self.cut.insert(shard, number);
    }

    /// Keeps a seal for the epoch after the one under way.
    pub(super) fn hold_back(&mut self, sealed: SealedRecord) {
        self.held_back.push(sealed);
    }

    pub(super) fn take_held_back(&mut self) -> Vec<SealedRecord> {
        std::mem::take(&mut self.held_back)
    }

    /// What is collected has become part of an intent, or says nothing.
    pub(super) fn release(&mut self) {
        self.collected.clear();
        self.released += std::mem::take(&mut self.bytes);
    }

    /// The last seal ingested per shard: the cut of an epoch that is assembled now.
    pub(super) fn cut(&self) -> &BTreeMap<u32, u64> {
        &self.cut
    }

    pub(super) fn collected(&self) -> &[SealedRecord] {
        &self.collected
    }

    /// What the collected seals count for in the backlog.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same of seals released since the last call.
    pub(super) fn take_released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }
}
