//! The last step of a record: its offset, its label, the sink.

use super::letter::{Letter, uuid_text};
use super::plan::{EventSink, Plan, SimTopic, SimulateError, Summary};
use super::truth::{DirtyRecord, SoldInterval};
use super::verdict::Accepted;

/// Hands records to the sink, numbers them and labels what must not be accepted.
pub(super) struct Outlet<'s> {
    sink: &'s mut dyn EventSink,
    lanes: Vec<Lane>,
    partitions: u32,
    judges: bool,
    summary: Summary,
}

/// One topic-partition.
#[derive(Default)]
struct Lane {
    next_offset: u64,
    accepted: Accepted,
}

impl<'s> Outlet<'s> {
    pub fn new(plan: &Plan, sink: &'s mut dyn EventSink) -> Self {
        let lanes = SimTopic::ALL.len() * plan.partitions as usize;
        Self {
            sink,
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            partitions: plan.partitions,
            // A clean run has nothing to label: no id twice, disorder within the bound.
            judges: plan.dirty,
            summary: Summary::default(),
        }
    }

    pub fn deliver(&mut self, letter: &Letter) -> Result<(), SimulateError> {
        let topic = letter.topic;
        let lane =
            &mut self.lanes[topic.index() * self.partitions as usize + letter.partition as usize];
        let offset = lane.next_offset;
        lane.next_offset += 1;
        let reason = match letter.flaw {
            Some(flaw) => Some(flaw),
            None if self.judges => lane
                .accepted
                .judge(topic, &letter.event_id, letter.occurred_at),
            None => None,
        };
        self.sink.event(
            topic,
            letter.partition,
            Some(&letter.key),
            letter.arrives_at,
            &letter.payload,
        )?;
        if let Some(reason) = reason {
            let id = uuid_text(&letter.event_id);
            self.sink.dirty(&DirtyRecord {
                topic: topic.folder(),
                partition: letter.partition,
                offset,
                event_id: contains(&letter.payload, id.as_str().as_bytes()).then_some(id.as_str()),
                reason,
            })?;
        }
        self.count(letter, reason);
        Ok(())
    }

    pub fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), SimulateError> {
        self.sink.sold(interval)
    }

    pub fn into_summary(self) -> Summary {
        self.summary
    }

    fn count(&mut self, letter: &Letter, reason: Option<&'static str>) {
        let summary = &mut self.summary;
        summary.records += 1;
        *summary.by_topic.entry(letter.topic.folder()).or_default() += 1;
        *summary
            .by_verdict
            .entry(reason.unwrap_or("accepted"))
            .or_default() += 1;
        if letter.flaw.is_none() {
            *summary.by_type.entry(letter.event_type).or_default() += 1;
        }
    }
}

/// Looks near the start, where every writer puts the id.
fn contains(payload: &[u8], id: &[u8]) -> bool {
    payload[..payload.len().min(256)]
        .windows(id.len())
        .any(|window| window == id)
}
