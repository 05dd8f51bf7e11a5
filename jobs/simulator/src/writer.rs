//! The last stage of a record: its offset, its label, the sink.

use schemas::event::Topic;

use super::error::Error;
use super::plan::{EventSink, Plan, SimulationSummary};
use super::record::{SimulatedRecord, uuid_text};
use super::truth::{DirtyRecord, SoldInterval};
use super::verdict::Accepted;

/// Numbers records, gives them to the sink and labels those that must not be accepted.
pub(crate) struct RecordWriter<'s> {
    sink: &'s mut dyn EventSink,
    states: Vec<PartitionState>,
    partitions: u32,
    labels_verdicts: bool,
    summary: SimulationSummary,
}

/// One topic partition.
#[derive(Default)]
struct PartitionState {
    next_offset: u64,
    accepted: Accepted,
}

impl<'s> RecordWriter<'s> {
    pub(crate) fn new(plan: &Plan, sink: &'s mut dyn EventSink) -> Self {
        let partitions = Topic::ALL.len() * plan.partitions as usize;
        Self {
            sink,
            states: (0..partitions).map(|_| PartitionState::default()).collect(),
            partitions: plan.partitions,
            // A clean run has nothing to label: every id is unique, disorder is within the bound.
            labels_verdicts: plan.dirty,
            summary: SimulationSummary::default(),
        }
    }

    pub(crate) fn deliver(&mut self, record: &SimulatedRecord) -> Result<(), Error> {
        let topic = record.topic;
        let partition_state =
            &mut self.states[topic.index() * self.partitions as usize + record.partition as usize];
        let offset = partition_state.next_offset;
        partition_state.next_offset += 1;
        let reason = match record.flaw {
            Some(flaw) => Some(flaw.as_str()),
            None if self.labels_verdicts => {
                partition_state
                    .accepted
                    .judge(topic, &record.event_id, record.occurred_at)
            }
            None => None,
        };
        self.sink.event(
            topic,
            record.partition,
            Some(&record.key),
            record.arrives_at,
            &record.payload,
        )?;
        if let Some(reason) = reason {
            let id = uuid_text(&record.event_id);
            self.sink.dirty(&DirtyRecord {
                topic: topic.default_topic(),
                partition: record.partition,
                offset,
                event_id: contains(&record.payload, id.as_str().as_bytes()).then_some(id.as_str()),
                reason,
            })?;
        }
        self.count(record, reason);
        Ok(())
    }

    pub(crate) fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), Error> {
        self.sink.sold(interval)
    }

    pub(crate) fn into_summary(self) -> SimulationSummary {
        self.summary
    }

    fn count(&mut self, record: &SimulatedRecord, reason: Option<&'static str>) {
        let summary = &mut self.summary;
        summary.records += 1;
        *summary
            .by_topic
            .entry(record.topic.default_topic())
            .or_default() += 1;
        *summary
            .by_verdict
            .entry(reason.unwrap_or("accepted"))
            .or_default() += 1;
        if record.flaw.is_none() {
            *summary.by_type.entry(record.event_type).or_default() += 1;
        }
    }
}

/// Searches near the start, where the id is written.
fn contains(payload: &[u8], id: &[u8]) -> bool {
    payload[..payload.len().min(256)]
        .windows(id.len())
        .any(|window| window == id)
}
