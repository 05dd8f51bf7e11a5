//! What has been read ahead, per input: bounded, aligned, and aware of its ends. No threads, no clocks, no Kafka.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use schemas::time::{DurationMs, TimestampMs};

use crate::source::{InputNews, Item, Record};

/// How much may be held per input, and how far inputs may drift apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferLimits {
    pub records: usize,
    pub bytes: usize,
    pub alignment: Duration,
}

/// An end that was reached, and the last moment it was known to hold.
#[derive(Clone, Copy, Debug)]
struct End {
    next_offset: i64,
    at: Instant,
    announced: bool,
}

#[derive(Default)]
struct PartitionBuffer {
    /// Records, and the news between them, in order.
    items: VecDeque<Item>,
    /// How many of them are news.
    news: usize,
    bytes: usize,
    /// Behind the records held; gone as soon as another record comes.
    end: Option<End>,
}

impl PartitionBuffer {
    /// Nothing held, nothing left at the broker.
    fn is_caught_up(&self) -> bool {
        self.items.is_empty() && self.end.is_some()
    }
}

/// One lane per input between the poll thread, which fills, and the shard, which takes.
pub(super) struct Buffers {
    lanes: Vec<PartitionBuffer>,
    limits: BufferLimits,
}

impl Buffers {
    pub(super) fn new(inputs: usize, limits: BufferLimits) -> Self {
        Self {
            lanes: (0..inputs).map(|_| PartitionBuffer::default()).collect(),
            limits,
        }
    }

    /// How many more records the input may hold. Bytes are looked at before, not after: one fill may exceed them.
    pub(super) fn room(&self, input: usize) -> usize {
        let lane = &self.lanes[input];
        if lane.bytes >= self.limits.bytes {
            return 0;
        }
        self.limits
            .records
            .saturating_sub(lane.items.len() - lane.news)
    }

    /// Adds records behind those held; whatever end was known, it has moved.
    pub(super) fn push(&mut self, input: usize, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let lane = &mut self.lanes[input];
        lane.bytes += records.iter().map(Record::held_bytes).sum::<usize>();
        lane.items.extend(records.into_iter().map(Item::Record));
        lane.end = None;
    }

    /// Adds what is to be known before the next record of the input.
    pub(super) fn announce(&mut self, input: usize, news: InputNews) {
        let lane = &mut self.lanes[input];
        lane.items.push_back(Item::News { input, news });
        lane.news += 1;
        lane.end = None;
    }

    /// One more input.
    pub(super) fn add_lane(&mut self) {
        self.lanes.push(PartitionBuffer::default());
    }

    /// Notes that everything below `next_offset` has been read and that there was nothing more at `at`.
    pub(super) fn reach_end(&mut self, input: usize, next_offset: i64, at: Instant) {
        self.lanes[input].end = Some(End {
            next_offset,
            at,
            announced: false,
        });
    }

    /// Inputs at their ends, each with the offset of its end.
    pub(super) fn ends(&self) -> Vec<(usize, i64)> {
        let end_of = |(input, lane): (usize, &PartitionBuffer)| {
            Some((input, lane.end.as_ref()?.next_offset))
        };
        self.lanes.iter().enumerate().filter_map(end_of).collect()
    }

    /// Notes that the broker, asked at `at`, named `end_offset` as the end of the input.
    ///
    /// That confirms our end only if it is the same offset. It cannot confirm a wrong one: ends only move up, so an answer
    /// equal to what we have read to means that we had read everything when we asked.
    pub(super) fn confirm_end(&mut self, input: usize, end_offset: i64, at: Instant) {
        if let Some(end) = &mut self.lanes[input].end
            && end.next_offset == end_offset
            && at > end.at
        {
            end.at = at;
            end.announced = false;
        }
    }

    pub(super) fn unread(&self, input: usize) -> bool {
        !self.lanes[input].is_caught_up()
    }

    /// Moves up to `max` records and the news of ends to `out`; returns whether there was anything.
    ///
    /// The input with the lowest watermark goes first. None goes whose watermark is more than the alignment above that of
    /// an input which may still have something earlier; inputs that are caught up hold nobody back.
    pub(super) fn take(
        &mut self,
        max: usize,
        watermarks: &[TimestampMs],
        out: &mut Vec<Item>,
    ) -> bool {
        let before = out.len();
        let watermark = |input: usize| watermarks.get(input).copied().unwrap_or(TimestampMs::MIN);
        let alignment = DurationMs::from_std(self.limits.alignment);
        let latest = (0..self.lanes.len())
            .filter(|input| !self.lanes[*input].is_caught_up())
            .map(watermark)
            .min()
            .map_or(TimestampMs::MAX, |lowest| lowest + alignment);

        let mut order: Vec<usize> = (0..self.lanes.len())
            .filter(|input| !self.lanes[*input].items.is_empty() && watermark(*input) <= latest)
            .collect();
        order.sort_by_key(|input| watermark(*input));

        let mut left = max;
        for input in order {
            let lane = &mut self.lanes[input];
            let count = left.min(lane.items.len());
            for item in lane.items.drain(..count) {
                match &item {
                    Item::Record(record) => lane.bytes -= record.held_bytes(),
                    Item::News { .. } => lane.news -= 1,
                    Item::End { .. } => {}
                }
                out.push(item);
            }
            left -= count;
            if left == 0 {
                break;
            }
        }
        for (input, lane) in self.lanes.iter_mut().enumerate() {
            if lane.items.is_empty()
                && let Some(end) = &mut lane.end
                && !end.announced
            {
                end.announced = true;
                out.push(Item::End {
                    input,
                    next_offset: end.next_offset,
                    at: end.at,
                });
            }
        }
        out.len() > before
    }
}

#[cfg(test)]
mod tests;
