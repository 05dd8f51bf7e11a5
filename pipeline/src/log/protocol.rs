//! What an owner does next, decided from what it found: pure, no I/O, no time.
//!
//! A put ends in one of three answers, and a read of the same number in one of five findings. From these follow every step
//! of appending and claiming:
//!
//! | answer to the put | read                  | appending          | claiming                       |
//! |-------------------|-----------------------|--------------------|--------------------------------|
//! | created           | –                     | held               | held                           |
//! | no answer         | –                     | put the same again | put the same again             |
//! | exists            | my bytes              | held               | held                           |
//! | exists            | nothing               | put the same again | put the same again             |
//! | exists            | other claim           | fenced             | ingest it, try the next number |
//! | exists            | other version         | fenced             | refuse                         |
//! | exists            | my claim, other bytes | stop               | stop                           |
//! | exists            | damaged               | stop               | stop                           |
//!
//! A put without an answer is repeated, not read: the store then answers "exists" only for what it has made durable, and
//! two identical puts cannot make two records.
//!
//! A record of another version of this program is another owner's, since mine is of my version.

use super::record::{ClaimId, Damage, OtherVersion};

/// What the caller wants at the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutPurpose {
    /// Extend the chain under the claim it holds.
    Append,
    /// Become the owner.
    Claim,
}

/// How a create-if-absent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutAnswer {
    Created,
    /// Something stands at that number: mine of an earlier try, or another owner's.
    Exists,
    /// An error or a time-out, which says nothing about whether the record stands.
    NoAnswer,
}

/// What a read of the number found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Byte for byte what was put.
    Mine,
    /// A whole record with other bytes.
    Other {
        claim: ClaimId,
    },
    /// A whole record that this version cannot read.
    OtherVersion(OtherVersion),
    Damaged(Damage),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProtocolStep {
    /// The record stands and is mine.
    Held,
    /// Put the identical bytes at the same number again, after a pause.
    PutAgain,
    /// Read the number.
    Read,
    /// Add what stands there to the chain, and try the next number.
    Ingest,
    /// Another owner's claim stands at my number: end.
    Fenced,
    /// Two records under one claim: the claim's holder runs twice. End, and let a person look.
    TwoWriters,
    /// Another version of this program owns the log: end, and change nothing.
    Refuse(OtherVersion),
    /// The record at this number is damaged.
    Stop(Damage),
}

/// The step after a put.
pub(super) fn after_put(answer: PutAnswer) -> ProtocolStep {
    match answer {
        PutAnswer::Created => ProtocolStep::Held,
        PutAnswer::Exists => ProtocolStep::Read,
        PutAnswer::NoAnswer => ProtocolStep::PutAgain,
    }
}

/// The step after reading a number at which a put found something; `mine` is the claim under which I put.
pub(super) fn after_read(purpose: PutPurpose, mine: ClaimId, found: Found) -> ProtocolStep {
    match (purpose, found) {
        (_, Found::Mine) => ProtocolStep::Held,
        (_, Found::Nothing) => ProtocolStep::PutAgain,
        (_, Found::Damaged(damage)) => ProtocolStep::Stop(damage),
        (_, Found::Other { claim }) if claim == mine => ProtocolStep::TwoWriters,
        (PutPurpose::Claim, Found::Other { .. }) => ProtocolStep::Ingest,
        (PutPurpose::Claim, Found::OtherVersion(found)) => ProtocolStep::Refuse(found),
        (PutPurpose::Append, Found::Other { .. } | Found::OtherVersion(_)) => ProtocolStep::Fenced,
    }
}

/// Whether an owner still stands at the end of its log, from what is found at the number after its last record.
pub(super) fn at_end(mine: ClaimId, found: Found) -> ProtocolStep {
    match found {
        Found::Nothing => ProtocolStep::Held,
        other => after_read(PutPurpose::Append, mine, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: ClaimId = ClaimId {
        number: 5,
        nonce: 1,
    };
    const THEIRS: ClaimId = ClaimId {
        number: 9,
        nonce: 2,
    };
    /// Same number, other nonce: two owners tried for one number and the other one won.
    const RIVAL: ClaimId = ClaimId {
        number: 5,
        nonce: 2,
    };

    #[test]
    fn every_answer_has_its_step() {
        for (answer, step) in [
            (PutAnswer::Created, ProtocolStep::Held),
            (PutAnswer::Exists, ProtocolStep::Read),
            (PutAnswer::NoAnswer, ProtocolStep::PutAgain),
        ] {
            assert_eq!(after_put(answer), step, "{answer:?}");
        }
    }

    #[test]
    fn every_finding_has_its_step() {
        use PutPurpose::{Append, Claim};
        let damaged = || Found::Damaged(Damage::Header);
        let other = |claim| Found::Other { claim };
        let version = OtherVersion::Format(9);
        for (purpose, found, step) in [
            (Append, Found::Mine, ProtocolStep::Held),
            (Claim, Found::Mine, ProtocolStep::Held),
            (Append, Found::Nothing, ProtocolStep::PutAgain),
            (Claim, Found::Nothing, ProtocolStep::PutAgain),
            (Append, other(THEIRS), ProtocolStep::Fenced),
            (Append, other(RIVAL), ProtocolStep::Fenced),
            (Append, other(MINE), ProtocolStep::TwoWriters),
            (Claim, other(THEIRS), ProtocolStep::Ingest),
            (Claim, other(RIVAL), ProtocolStep::Ingest),
            (Claim, other(MINE), ProtocolStep::TwoWriters),
            (Append, Found::OtherVersion(version), ProtocolStep::Fenced),
            (
                Claim,
                Found::OtherVersion(version),
                ProtocolStep::Refuse(version),
            ),
            (Append, damaged(), ProtocolStep::Stop(Damage::Header)),
            (Claim, damaged(), ProtocolStep::Stop(Damage::Header)),
        ] {
            assert_eq!(
                after_read(purpose, MINE, found.clone()),
                step,
                "{purpose:?} {found:?}"
            );
        }
    }

    #[test]
    fn an_owner_stands_at_the_end_where_nothing_follows() {
        for (found, step) in [
            (Found::Nothing, ProtocolStep::Held),
            (Found::Other { claim: THEIRS }, ProtocolStep::Fenced),
            (Found::Other { claim: MINE }, ProtocolStep::TwoWriters),
            (
                Found::OtherVersion(OtherVersion::Format(9)),
                ProtocolStep::Fenced,
            ),
            (
                Found::Damaged(Damage::Payload),
                ProtocolStep::Stop(Damage::Payload),
            ),
        ] {
            assert_eq!(at_end(MINE, found.clone()), step, "{found:?}");
        }
    }
}
