//! Whether a record continues the chain before it: pure.

use super::record::{ClaimId, LogPosition, LogRecord, RecordHeader, RecordKind};

/// The end of a verified chain: the last record, and the claim that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chain {
    pub last: LogPosition,
    /// The newest claim; only its holder may extend. The default before the first claim.
    pub claim: ClaimId,
}

impl Chain {
    /// The chain as it was when a checkpoint was written: the checkpoint names its record, and its writer held the claim.
    pub(super) fn at_checkpoint(checkpoint: &RecordHeader) -> Self {
        Self {
            last: LogPosition {
                number: checkpoint.number,
                hash: checkpoint.previous,
            },
            claim: checkpoint.claim,
        }
    }

    /// The number that comes next.
    pub(super) fn next(&self) -> u64 {
        self.last.number + 1
    }

    /// A claim names its own number, and numbers begin at 1.
    fn has_owner(self) -> bool {
        self.claim.number > 0
    }

    /// The chain with `record` at its end, or what is wrong with it.
    pub(super) fn extended(self, record: &LogRecord) -> Result<Self, &'static str> {
        let header = &record.header;
        if header.number != self.next() {
            return Err("the number inside is not the next one");
        }
        if header.previous != self.last.hash {
            return Err("it names another record as the one before it");
        }
        let claim = match header.kind {
            RecordKind::Claim if header.claim.number == header.number => header.claim,
            RecordKind::Claim => return Err("the claim names another number than its own"),
            RecordKind::Data if self.has_owner() && header.claim == self.claim => self.claim,
            RecordKind::Data => return Err("it was put under a claim that does not stand"),
            RecordKind::Checkpoint => return Err("a checkpoint stands in the place of a record"),
        };
        Ok(Self {
            last: record.position(),
            claim,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::{RecordPlace, decode, encode};
    use crate::time::fixture::at;

    fn record(kind: RecordKind, number: u64, claim: ClaimId, previous: [u8; 32]) -> LogRecord {
        let place = RecordPlace {
            kind,
            layout: 1,
            number,
            claim,
            previous,
            put_at: at(0),
        };
        decode(&encode(place, b"payload").0, 1).expect("decodes")
    }

    const A: ClaimId = ClaimId {
        number: 1,
        nonce: 10,
    };
    const B: ClaimId = ClaimId {
        number: 3,
        nonce: 20,
    };

    #[test]
    fn a_chain_is_a_claim_then_records_under_it_then_the_next_claim() {
        let chain = Chain::default();
        let chain = chain
            .extended(&record(RecordKind::Claim, 1, A, chain.last.hash))
            .expect("claim");
        let chain = chain
            .extended(&record(RecordKind::Data, 2, A, chain.last.hash))
            .expect("data");
        let chain = chain
            .extended(&record(RecordKind::Claim, 3, B, chain.last.hash))
            .expect("next claim");
        assert_eq!((chain.last.number, chain.claim), (3, B));

        let last = chain.last.hash;
        for (wrong, why) in [
            (
                record(RecordKind::Data, 4, A, last),
                "under a claim that does not stand",
            ),
            (record(RecordKind::Data, 5, B, last), "not the next one"),
            (
                record(RecordKind::Data, 4, B, [1; 32]),
                "another record as the one before it",
            ),
            (
                record(RecordKind::Checkpoint, 4, B, last),
                "a checkpoint stands",
            ),
            (
                record(RecordKind::Claim, 4, B, last),
                "another number than its own",
            ),
        ] {
            let said = chain.extended(&wrong).expect_err(why);
            assert!(said.contains(why), "{said}: {why}");
        }
    }

    #[test]
    fn data_before_any_claim_is_refused() {
        for claim in [A, ClaimId::default()] {
            let first = record(RecordKind::Data, 1, claim, [0; 32]);
            let said = Chain::default().extended(&first).expect_err("no claim");
            assert!(said.contains("a claim that does not stand"), "{said}");
        }
    }
}
