//! The dead-letter circuit breaker: a producer gone wrong must stop the service, not fill a table.
//!
//! It opens at the configured share of the last records, or of their bytes. Few records can hold most of what is read: a share of
//! bytes alone would stop at the first broken record that is long, so they also have to be many bytes, [`MANY_BYTES`]. Bytes are
//! those that are kept: of a payload that is too large its beginning.

use std::collections::VecDeque;

use schemas::event::Reason;

use crate::error::{Error, ErrorKind, Result};

/// How many records the share is taken over.
const WINDOW: usize = 10_000;
/// Bytes of dead letters in the window below which they stop nothing.
const MANY_BYTES: u64 = 512 << 20;

/// Dead letters among the last records of a shard.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCircuit {
    records: VecDeque<CountedRecord>,
    dead: Share,
    all: Share,
    last_reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug)]
struct CountedRecord {
    is_dead: bool,
    bytes: u32,
}

/// Records and their bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    records: usize,
    bytes: u64,
}

impl Share {
    fn add(&mut self, record: CountedRecord) {
        self.records += 1;
        self.bytes += u64::from(record.bytes);
    }

    fn remove(&mut self, record: CountedRecord) {
        self.records -= 1;
        self.bytes -= u64::from(record.bytes);
    }
}

impl DeadLetterCircuit {
    /// Counts one record of which so many bytes are held; `reason` is that of a dead letter.
    pub(super) fn count(&mut self, reason: Option<Reason>, bytes: usize) {
        if self.records.len() == WINDOW
            && let Some(oldest) = self.records.pop_front()
        {
            self.all.remove(oldest);
            if oldest.is_dead {
                self.dead.remove(oldest);
            }
        }
        let record = CountedRecord {
            is_dead: reason.is_some(),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        };
        self.records.push_back(record);
        self.all.add(record);
        if record.is_dead {
            self.dead.add(record);
        }
        self.last_reason = reason.or(self.last_reason);
    }

    /// Share of the records. Only a full window says something: a few bad records at the start are no bad deploy.
    fn of_records(&self) -> Option<f64> {
        (self.all.records == WINDOW).then(|| self.dead.records as f64 / WINDOW as f64)
    }

    /// Share of the bytes, where there are enough to say something.
    fn of_bytes(&self) -> Option<f64> {
        (self.dead.bytes >= MANY_BYTES).then(|| self.dead.bytes as f64 / self.all.bytes as f64)
    }

    /// Fails where the share of dead letters has reached `stop_ratio`.
    pub(super) fn check(&self, shard: u32, stop_ratio: f64) -> Result<()> {
        let has_opened = |share: &f64| *share >= stop_ratio;
        let share = if let Some(share) = self.of_records().filter(has_opened) {
            format!("{:.0} % of the last {WINDOW} records", share * 100.0)
        } else if let Some(share) = self.of_bytes().filter(has_opened) {
            let (records, bytes) = (self.all.records, self.dead.bytes >> 20);
            let share = share * 100.0;
            format!("{share:.0} % of the bytes of the last {records} records, {bytes} MiB,")
        } else {
            return Ok(());
        };
        let reason = self.last_reason.map_or("?", Reason::as_str);
        Err(Error::new(
            ErrorKind::DeadLetters,
            format!(
                "{share} of shard={shard} are dead letters, most recently reason={reason}: stopped before more is passed over; \
                 mend the producer, or raise [limits] dead_letter_stop_ratio"
            ),
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DEAD: Option<Reason> = Some(Reason::MalformedJson);

    #[test]
    fn it_opens_at_the_ratio_of_a_full_window_and_not_before() {
        let mut circuit = DeadLetterCircuit::default();
        for _ in 0..WINDOW - 1 {
            circuit.count(DEAD, 100);
        }
        assert!(circuit.check(0, 0.5).is_ok(), "the window is not full");
        circuit.count(None, 100);
        let error = circuit.check(3, 0.5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadLetters);
        assert!(error.to_string().contains("shard=3"), "{error}");
        assert!(error.to_string().contains("malformed_json"), "{error}");
        for _ in 0..WINDOW / 2 {
            circuit.count(None, 100);
        }
        assert!(circuit.check(0, 0.5).is_ok());
    }

    #[test]
    fn it_opens_at_the_ratio_of_many_bytes_in_few_records() {
        let mib = 1 << 20;
        let mut circuit = DeadLetterCircuit::default();
        for _ in 0..511 {
            circuit.count(DEAD, mib);
        }
        assert!(circuit.check(0, 0.5).is_ok(), "not many yet");
        circuit.count(DEAD, mib);
        let error = circuit.check(0, 0.5).unwrap_err().to_string();
        assert!(
            error.contains("100 % of the bytes") && error.contains("512 MiB"),
            "{error}"
        );
        // as many bytes of good records: just at the ratio, and one more below it
        for _ in 0..512 {
            circuit.count(None, mib);
        }
        assert!(circuit.check(0, 0.5).is_err());
        circuit.count(None, mib);
        assert!(circuit.check(0, 0.5).is_ok());
        assert!(circuit.check(0, 0.4).is_err());
        // they leave the window with their bytes
        for _ in 0..WINDOW {
            circuit.count(None, 1);
        }
        assert_eq!((circuit.dead.bytes, circuit.all.bytes), (0, WINDOW as u64));
        assert!(circuit.check(0, 0.001).is_ok());
    }
}
