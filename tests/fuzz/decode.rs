//! An event's payload: no panic, one verdict, and columns that survive Arrow IPC.

use std::io::Cursor;

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use rand::Rng;
use rand::seq::IndexedRandom;
use schemas::event::{EventBatchBuilder, Limits, Place, Rejection, Topic, decode};
use schemas::time::TimestampMs;
use tests::event_schemas::{EventSchema, NOON_MS, event_schemas};

use crate::mutate::{self, Random};
use crate::target::{Input, Outcome, Part, Target};

/// What means something in JSON.
pub(crate) const JSON_TOKENS: [&str; 24] = [
    "null",
    "true",
    "-0",
    "1.0",
    "1e2",
    "1e999",
    "9223372036854775808",
    "-9223372036854775809",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\\",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":1,\"\\u0061\":2},",
    "\"schema_version\":1,",
    "\"event_id\":\"e\",",
    "\"corrects\":\"e\",",
    "\u{feff}",
    ",",
    ":",
    "NaN",
    "/* */",
];

/// See the module's page.
pub(crate) struct Decode {
    schemas: Vec<EventSchema>,
    limits: Limits,
}

impl Decode {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            schemas: event_schemas()?,
            limits: Limits::default(),
        })
    }

    /// What becomes of a payload: one row of columns, or the reason.
    fn verdict(&self, topic: Topic, payload: &[u8], rows: usize) -> Result<RecordBatch, Rejection> {
        let event = decode(topic, Some(payload), &self.limits)?;
        let mut builder = EventBatchBuilder::new(topic);
        for offset in (0..).take(rows) {
            let place = Place {
                partition: 0,
                offset,
                timestamp: Some(TimestampMs::from_ms(NOON_MS)),
            };
            builder.append(&event, &place);
        }
        Ok(builder.finish())
    }
}

impl Target for Decode {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        let schema = self.schemas.choose(random).context("no event type")?;
        let others = *[0.0, 0.3, 1.0].choose(random).unwrap_or(&1.0);
        let mut event = schema.event(others, random.random_range(0..100), random)?;
        if random.random_bool(0.7) {
            mutate::json(&mut event, random);
        }
        let mut payload = event.to_string().into_bytes();
        if random.random_bool(0.4) {
            mutate::bytes(&mut payload, &JSON_TOKENS, random);
        }
        let topic = if random.random_bool(0.05) {
            Topic::ALL
                .choose(random)
                .map_or(schema.topic, |topic| topic.default_topic())
        } else {
            schema.topic
        };
        Ok(vec![Part::new(topic, payload)])
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        let part = input.first().context("no payload")?;
        let topic = Topic::ALL
            .into_iter()
            .find(|topic| topic.default_topic() == part.name)
            .context("no topic")?;
        let verdict = self.verdict(topic, &part.bytes, 1);
        if self.verdict(topic, &part.bytes, 1) != verdict {
            return Ok(Outcome::Broken("two verdicts on one payload".to_owned()));
        }
        // Blanks around a payload mean nothing, unless they make it too large.
        let padded = [b" \n", part.bytes.as_slice(), b"\t\r\n"].concat();
        if padded.len() <= self.limits.max_record_bytes
            && self.verdict(topic, &padded, 1) != verdict
        {
            return Ok(Outcome::Broken("blanks change the verdict".to_owned()));
        }
        let Ok(batch) = verdict else {
            return Ok(Outcome::Refused);
        };
        match self.verdict(topic, &part.bytes, 3) {
            Ok(rows) if rows.slice(0, 1) != batch => {
                return Ok(Outcome::Broken("rows depend on one another".to_owned()));
            }
            Ok(rows) if read_back(&rows)? != rows => {
                return Ok(Outcome::Broken("Arrow IPC changes the rows".to_owned()));
            }
            _ => {}
        }
        Ok(Outcome::Accepted)
    }
}

/// Through Arrow IPC and back.
fn read_back(batch: &RecordBatch) -> Result<RecordBatch> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    let bytes = writer.into_inner()?;
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    reader
        .next()
        .context("nothing comes back")?
        .map_err(Into::into)
}
