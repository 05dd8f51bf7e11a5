//! The order of several files: by the `recorded_at` of their heads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::reader::LineHead;
use crate::source::Record;

/// The heads of all files that have one.
///
/// Nothing is sorted inside a file: a line that was recorded earlier than the one before it follows that one (K1). Equal
/// instants go by the index of the input, so the order is the same on every run.
#[derive(Default)]
pub(super) struct Merge {
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// By input; holds a record exactly while the input is in `order`.
    heads: Vec<Option<Record>>,
}

impl Merge {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            order: BinaryHeap::with_capacity(inputs),
            heads: vec![None; inputs],
        }
    }

    /// Puts the next line of an input in; it must have none there.
    pub(super) fn put(&mut self, head: LineHead) {
        let input = head.record.input;
        debug_assert!(self.heads[input].is_none(), "one head an input");
        self.order.push(Reverse((head.recorded_at, input)));
        self.heads[input] = Some(head.record);
    }

    /// Takes the earliest head; its input's next line is to be put in before the next call.
    pub(super) fn take(&mut self) -> Option<Record> {
        let Reverse((_, input)) = self.order.pop()?;
        self.heads[input].take()
    }

    pub(super) fn has(&self, input: usize) -> bool {
        self.heads.get(input).is_some_and(Option::is_some)
    }
}
