//! The bytes of a record and of a checkpoint.
//!
//! ```text
//! "VTRL" | format u16 | header length u16 | header | SHA-256 of all before it | payload (zstd, or plain if not smaller)
//! header (little endian): kind u8 | layout u16 | number u64 | claim number u64 | claim nonce u128
//!                       | previous hash 32 bytes | put at i64 | payload length u64 | stored length u64
//!                       | SHA-256 of the stored payload
//! ```
//!
//! The header holds the payload's length and SHA-256, so the hash behind the header seals both. That hash is the
//! record's place in the chain: the next record carries it.
//!
//! Two numbers say how to read a record. [`FORMAT`] is the version of the frame and the header; the layout is the version of
//! the payload, and each log has its own. [`decode`] compares both before it looks at the payload, so nobody interprets
//! bytes of another version. Frame and hash are the same in every format: any version can distinguish a record of another one
//! from a damaged record.

use bytes::Bytes;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The format that this version writes, and the only one that it reads. Version 0.1 wrote format 1, without a layout.
pub(super) const FORMAT: u16 = 2;

const MAGIC: [u8; 4] = *b"VTRL";
const FRAME_BYTES: usize = 8;
const HASH_BYTES: usize = 32;
const COMPRESSION_LEVEL: i32 = 1;

/// A place in the chain: a record's number and hash. Records begin at 1; the place before the first is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogPosition {
    pub number: u64,
    pub hash: [u8; 32],
}

/// Who owns: the number of the record that holds the claim, and a nonce, as two owners may have tried for that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClaimId {
    pub number: u64,
    pub nonce: u128,
}

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A new owner begins here; the payload is the owner's name.
    Claim,
    /// A seal, or a publisher's intent or epoch.
    Data,
    /// Not part of the chain: the state up to and with the record of the same number.
    Checkpoint,
}

/// What stands before the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    pub kind: RecordKind,
    /// Version of the payload's layout.
    pub layout: u16,
    /// The record's number; of a checkpoint: the number of the record it covers.
    pub number: u64,
    pub claim: ClaimId,
    /// Hash of the record before; of a checkpoint: of the record it covers.
    pub previous: [u8; 32],
    /// Wall clock of the put, ms UTC. For people; nothing decides by it.
    pub put_at: TimestampMs,
    payload_bytes: u64,
    stored_bytes: u64,
    stored_sha256: [u8; 32],
}

impl RecordHeader {
    fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            RecordKind::Claim => 1,
            RecordKind::Data => 2,
            RecordKind::Checkpoint => 3,
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&self.layout.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.claim.number.to_le_bytes());
        bytes.extend_from_slice(&self.claim.nonce.to_le_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(&self.put_at.as_ms().to_le_bytes());
        bytes.extend_from_slice(&self.payload_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.stored_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.stored_sha256);
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
            let (taken, rest) = bytes.split_first_chunk::<N>()?;
            *bytes = rest;
            Some(*taken)
        }
        let bytes = &mut bytes;
        let kind = match take::<1>(bytes)? {
            [1] => RecordKind::Claim,
            [2] => RecordKind::Data,
            [3] => RecordKind::Checkpoint,
            _ => return None,
        };
        let header = Self {
            kind,
            layout: u16::from_le_bytes(take(bytes)?),
            number: u64::from_le_bytes(take(bytes)?),
            claim: ClaimId {
                number: u64::from_le_bytes(take(bytes)?),
                nonce: u128::from_le_bytes(take(bytes)?),
            },
            previous: take(bytes)?,
            put_at: TimestampMs::from_ms(i64::from_le_bytes(take(bytes)?)),
            payload_bytes: u64::from_le_bytes(take(bytes)?),
            stored_bytes: u64::from_le_bytes(take(bytes)?),
            stored_sha256: take(bytes)?,
        };
        bytes.is_empty().then_some(header)
    }
}

/// A decoded record or checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    pub header: RecordHeader,
    /// SHA-256 of frame and header: what the next record names as its previous.
    pub hash: [u8; 32],
    pub payload: Bytes,
}

impl LogRecord {
    /// The record's place in the chain.
    pub fn position(&self) -> LogPosition {
        LogPosition {
            number: self.header.number,
            hash: self.hash,
        }
    }
}

/// Why bytes are not handed out as a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged(Damage),
    OtherVersion(OtherVersion),
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// What another version of this program wrote. Not damage: its frame and hash are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OtherVersion {
    #[error("format={0}, this program reads format={FORMAT}")]
    Format(u16),
    #[error("layout={found}, this program reads layout={known}")]
    Layout { found: u16, known: u16 },
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("not a record: the first bytes are others")]
    NotARecord,
    #[error("truncated: bytes={found} expected={expected}")]
    Truncated { found: u64, expected: u64 },
    #[error("bytes after the end: bytes={found} expected={expected}")]
    TooLong { found: u64, expected: u64 },
    #[error("the header fails its checksum")]
    Header,
    #[error("the payload fails its checksum")]
    Payload,
    #[error("number={found} stands under the name of number={named}")]
    OtherNumber { found: u64, named: u64 },
    #[error("kind={found:?} stands where {wanted} is expected")]
    OtherKind {
        found: RecordKind,
        wanted: &'static str,
    },
}

/// What the caller decides about a record; the rest of the header follows from the payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordPlace {
    pub kind: RecordKind,
    pub layout: u16,
    pub number: u64,
    pub claim: ClaimId,
    pub previous: [u8; 32],
    pub put_at: TimestampMs,
}

/// Encodes a record and returns its bytes with its hash.
pub(super) fn encode(place: RecordPlace, payload: &[u8]) -> (Bytes, [u8; 32]) {
    // Compressing into memory fails only for lack of memory or a bad level; the level is a constant. Should it fail all
    // the same, the payload stands as it is: decoding decides by the lengths.
    let compressed = zstd::bulk::compress(payload, COMPRESSION_LEVEL).unwrap_or_default();
    let smaller = !compressed.is_empty() && compressed.len() < payload.len();
    let stored: &[u8] = if smaller { &compressed } else { payload };
    let header = RecordHeader {
        kind: place.kind,
        layout: place.layout,
        number: place.number,
        claim: place.claim,
        previous: place.previous,
        put_at: place.put_at,
        payload_bytes: payload.len() as u64,
        stored_bytes: stored.len() as u64,
        stored_sha256: Sha256::digest(stored).into(),
    };
    let header_bytes = header.to_bytes();
    let mut bytes =
        Vec::with_capacity(FRAME_BYTES + header_bytes.len() + HASH_BYTES + stored.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(header_bytes.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&header_bytes);
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    bytes.extend_from_slice(&hash);
    bytes.extend_from_slice(stored);
    (bytes.into(), hash)
}

/// Decodes and checks a record or checkpoint of a log whose payloads have this layout.
pub(super) fn decode(bytes: &Bytes, layout: u16) -> Result<LogRecord, Unreadable> {
    let (header, hash, stored_from) = decode_header(bytes)?;
    if header.layout != layout {
        return Err(Unreadable::OtherVersion(OtherVersion::Layout {
            found: header.layout,
            known: layout,
        }));
    }
    let payload = decode_payload(bytes, &header, stored_from)?;
    Ok(LogRecord {
        header,
        hash,
        payload,
    })
}

fn decode_payload(
    bytes: &Bytes,
    header: &RecordHeader,
    stored_from: usize,
) -> Result<Bytes, Damage> {
    let expected = stored_from as u64 + header.stored_bytes;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(Damage::Truncated { found, expected });
    }
    if found > expected {
        return Err(Damage::TooLong { found, expected });
    }
    let stored = bytes.slice(stored_from..);
    if <[u8; 32]>::from(Sha256::digest(&stored)) != header.stored_sha256 {
        return Err(Damage::Payload);
    }
    if header.stored_bytes == header.payload_bytes {
        return Ok(stored);
    }
    // The header is sealed by its hash, so its length bounds the output: no decompression bomb.
    let payload = zstd::bulk::decompress(&stored, header.payload_bytes as usize)
        .map_err(|_| Damage::Payload)?;
    if payload.len() as u64 == header.payload_bytes {
        Ok(payload.into())
    } else {
        Err(Damage::Payload)
    }
}

fn decode_header(bytes: &[u8]) -> Result<(RecordHeader, [u8; 32], usize), Unreadable> {
    let truncated = |expected: usize| Damage::Truncated {
        found: bytes.len() as u64,
        expected: expected as u64,
    };
    let Some((frame, _)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return Err(truncated(FRAME_BYTES).into());
    };
    let [m0, m1, m2, m3, f0, f1, l0, l1] = *frame;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(Damage::NotARecord.into());
    }
    let format = u16::from_le_bytes([f0, f1]);
    let header_end = FRAME_BYTES + usize::from(u16::from_le_bytes([l0, l1]));
    let Some((hash, _)) = bytes
        .get(header_end..)
        .and_then(|rest| rest.split_first_chunk::<HASH_BYTES>())
    else {
        return Err(truncated(header_end + HASH_BYTES).into());
    };
    if <[u8; 32]>::from(Sha256::digest(&bytes[..header_end])) != *hash {
        return Err(Damage::Header.into());
    }
    if format != FORMAT {
        return Err(Unreadable::OtherVersion(OtherVersion::Format(format)));
    }
    let header = RecordHeader::from_bytes(&bytes[FRAME_BYTES..header_end]).ok_or(Damage::Header)?;
    Ok((header, *hash, header_end + HASH_BYTES))
}

#[cfg(test)]
mod tests;
