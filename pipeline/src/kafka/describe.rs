//! Topics as brokers describe them: their ids, for which rdkafka has no call.
//!
//! librdkafka keeps reading at the same offset when a topic is deleted and made anew under its name; only the id tells the
//! two apart. The question is an ordinary metadata request, so it needs no other right than `Describe`.
#![expect(
    unsafe_code,
    reason = "rdkafka wraps no DescribeTopics; every call is to librdkafka 2.12 as rdkafka.h documents it"
)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client::KafkaConsumer;
use super::topic_id::TopicId;

/// A topic as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicDescription {
    /// `None` where the broker gives topics no ids.
    pub id: Option<TopicId>,
    pub partitions: u32,
}

/// Times in a row that a question for descriptions stays unanswered, after which partitions are only counted.
const UNANSWERED_TIMES: u32 = 6;

/// Asks what topics are now. All its errors are [`KafkaError::MetadataFetch`].
///
/// A broker that counts partitions and leaves the question for descriptions unanswered gives topics no ids.
#[derive(Default)]
pub(crate) struct TopicDescriber {
    unanswered: u32,
}

impl TopicDescriber {
    /// Asks once for these topics; an inner error concerns one of them, such as one that does not exist.
    pub(crate) fn describe(
        &mut self,
        consumer: &KafkaConsumer,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<TopicDescription, KafkaError>>, KafkaError> {
        match describe_topics(consumer, topics, timeout) {
            Err(error)
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) =>
            {
                self.unanswered += 1;
                if self.unanswered < UNANSWERED_TIMES {
                    return Err(error);
                }
                let counted = topics
                    .iter()
                    .map(|topic| count_partitions(consumer, topic, timeout));
                counted.collect()
            }
            answers => {
                self.unanswered = 0;
                answers
            }
        }
    }
}

/// Asks once for the partitions of a topic, which every broker can say; the inner error concerns the topic.
pub(super) fn count_partitions(
    consumer: &KafkaConsumer,
    topic: &str,
    timeout: Duration,
) -> Result<Result<TopicDescription, KafkaError>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let refusal = found.and_then(|found| found.error());
    if let Some(code) = refusal {
        return Ok(Err(KafkaError::MetadataFetch(code.into())));
    }
    let partitions = found.map_or(0, |found| found.partitions().len());
    Ok(Ok(TopicDescription {
        id: None,
        partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
    }))
}

fn describe_topics(
    consumer: &KafkaConsumer,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<Result<TopicDescription, KafkaError>>, KafkaError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let names = topics
        .iter()
        .map(|topic| CString::new(*topic))
        .collect::<Result<Vec<_>, _>>()?;
    let event = ask(consumer, &names, timeout)?;
    Ok(names.iter().map(|name| description(&event, name)).collect())
}

/// Something that librdkafka made for us and takes back when this is dropped.
struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `pointer` is null, or ours alone until it is given to `destroy`.
    unsafe fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, destroy })
    }

    fn get(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new` it is ours, and nothing uses it after this.
        unsafe { (self.destroy)(self.get()) }
    }
}

type Event = Owned<native::rd_kafka_event_t>;

/// Sends the request and waits for its one answer.
fn ask(
    consumer: &KafkaConsumer,
    names: &[CString],
    timeout: Duration,
) -> Result<Event, KafkaError> {
    let client = consumer.client().native_ptr();
    let timeout = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let no_memory = || KafkaError::MetadataFetch(RDKafkaErrorCode::CriticalSystemResource);
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client lives as long as `consumer`. The names are copied by the collection, collection and options by the
    // request. An answer that comes after the queue is gone is dropped by librdkafka, which counts its references.
    unsafe {
        let collection = Owned::new(
            native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            native::rd_kafka_TopicCollection_destroy,
        )
        .ok_or_else(no_memory)?;
        let options = Owned::new(
            native::rd_kafka_AdminOptions_new(
                client,
                native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            ),
            native::rd_kafka_AdminOptions_destroy,
        )
        .ok_or_else(no_memory)?;
        let code = native::rd_kafka_AdminOptions_set_request_timeout(
            options.get(),
            timeout,
            ptr::null_mut(),
            0,
        );
        succeeded(code)?;
        let queue = Owned::new(
            native::rd_kafka_queue_new(client),
            native::rd_kafka_queue_destroy,
        )
        .ok_or_else(no_memory)?;
        native::rd_kafka_DescribeTopics(client, collection.get(), options.get(), queue.get());
        let event = Owned::new(
            native::rd_kafka_queue_poll(queue.get(), timeout),
            native::rd_kafka_event_destroy,
        )
        .ok_or(KafkaError::MetadataFetch(
            RDKafkaErrorCode::OperationTimedOut,
        ))?;
        succeeded(native::rd_kafka_event_error(event.get()))?;
        Ok(event)
    }
}

/// What the answer says of one topic.
fn description(event: &Event, name: &CStr) -> Result<TopicDescription, KafkaError> {
    let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
    // SAFETY: all that is reached from the event lives as long as it does; arrays have the length that stands in `count`.
    unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.get());
        if result.is_null() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::BadMessage));
        }
        let mut count = 0;
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for index in 0..count {
            let topic = *topics.add(index);
            if CStr::from_ptr(native::rd_kafka_TopicDescription_name(topic)) != name {
                continue;
            }
            let error = native::rd_kafka_TopicDescription_error(topic);
            succeeded(native::rd_kafka_error_code(error))?;
            let mut partitions = 0;
            native::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
            let id = native::rd_kafka_TopicDescription_topic_id(topic);
            return Ok(TopicDescription {
                id: id_of(NonNull::new(id.cast_mut())),
                partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
            });
        }
    }
    Err(unknown)
}

fn id_of(id: Option<NonNull<native::rd_kafka_Uuid_t>>) -> Option<TopicId> {
    let id = id?.as_ptr();
    // SAFETY: the caller has it from a description that is still there.
    let (most, least) = unsafe {
        (
            native::rd_kafka_Uuid_most_significant_bits(id),
            native::rd_kafka_Uuid_least_significant_bits(id),
        )
    };
    let bits = u128::from(most.cast_unsigned()) << 64 | u128::from(least.cast_unsigned());
    TopicId::of_bits(bits)
}

fn succeeded(code: RDKafkaRespErr) -> Result<(), KafkaError> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::MetadataFetch(code.into())),
    }
}
