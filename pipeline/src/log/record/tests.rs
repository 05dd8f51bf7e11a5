use proptest::prelude::*;

use super::*;
use crate::log::versions::with_format;
use crate::time::fixture::at;

const LAYOUT: u16 = 3;

fn place(number: u64) -> RecordPlace {
    RecordPlace {
        kind: RecordKind::Data,
        layout: LAYOUT,
        number,
        claim: ClaimId {
            number: 3,
            nonce: 0x1234_5678_9abc,
        },
        previous: [7; 32],
        put_at: at(1_767_571_200_000),
    }
}

#[test]
fn what_goes_in_comes_out_compressed_or_not() {
    for payload in [&b""[..], b"x", &[0; 100_000], b"not worth compressing"] {
        let (bytes, hash) = encode(place(9), payload);
        let record = decode(&bytes, LAYOUT).expect("decodes");
        assert_eq!(&record.payload[..], payload);
        assert_eq!(record.hash, hash);
        assert_eq!(record.position(), LogPosition { number: 9, hash });
        assert_eq!(record.header.claim, place(9).claim);
        assert_eq!(record.header.previous, [7; 32]);
        assert_eq!(record.header.put_at, at(1_767_571_200_000));
    }
    assert!(
        encode(place(9), &[0; 100_000]).0.len() < 1_000,
        "zeros compress"
    );
}

#[test]
fn encoding_is_deterministic_so_a_repeated_put_has_identical_bytes() {
    assert_eq!(encode(place(4), b"seal"), encode(place(4), b"seal"));
    assert_ne!(
        encode(place(4), b"seal").1,
        encode(place(5), b"seal").1,
        "the number is in the hash"
    );
}

#[test]
fn every_cut_is_named_truncated() {
    let (bytes, _) = encode(place(1), b"a payload");
    for length in 0..bytes.len() {
        let damage = decode(&bytes.slice(..length), LAYOUT).expect_err("cut");
        assert!(
            matches!(damage, Unreadable::Damaged(Damage::Truncated { .. })),
            "length={length}: {damage:?}"
        );
    }
}

#[test]
fn foreign_and_longer_bytes_are_named() {
    let (bytes, _) = encode(place(1), b"a payload");
    assert_eq!(
        decode(&Bytes::from(vec![0; 4096]), LAYOUT),
        Err(Damage::NotARecord.into())
    );
    let longer = Bytes::from([&bytes[..], b"!"].concat());
    assert!(matches!(
        decode(&longer, LAYOUT),
        Err(Unreadable::Damaged(Damage::TooLong { .. }))
    ));
}

/// The first record of a shard's log as version 0.1 wrote it: a claim of `pid 19455`.
const CLAIM_OF_0_1: &str = "5654524c01007900010100000000000000010000000000000044b60e2bda3cc287f04b937d7404696f000000000000000000000000000000000000000000000000000000000000000083dbb91fa201000009000000000000000900000000000000dd0c69471a2f80e4bdd39528c503aad8d92a47a3d0b3ca0fcae04362abb495c3d40fba77cb79dcac458948f2557212c2f3600647636887b1d7c01bad959ab1e3706964203139343535";

#[test]
fn other_formats_and_layouts_are_told_from_damage() {
    let former = Bytes::from(hex::decode(CLAIM_OF_0_1).unwrap());
    let (current, _) = encode(place(1), b"a payload");
    let newer = with_format(&current, FORMAT + 1);
    for (bytes, layout, found) in [
        (&former, LAYOUT, OtherVersion::Format(1)),
        (&newer, LAYOUT, OtherVersion::Format(3)),
        (&current, 2, OtherVersion::Layout { found: 3, known: 2 }),
        (&current, 4, OtherVersion::Layout { found: 3, known: 4 }),
    ] {
        assert_eq!(decode(bytes, layout), Err(Unreadable::OtherVersion(found)));
        // Where the frame itself is damaged, nothing that it says counts.
        let mut flipped = bytes.to_vec();
        flipped[FRAME_BYTES + 20] ^= 1;
        assert_eq!(
            decode(&flipped.into(), layout),
            Err(Damage::Header.into()),
            "{found}"
        );
    }
}

proptest! {
    #[test]
    fn every_flipped_bit_is_found(payload in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (bytes, _) = encode(place(12), &payload);
        let mut flipped = bytes.to_vec();
        let at = at.index(flipped.len());
        flipped[at] ^= 1 << bit;
        prop_assert!(decode(&flipped.into(), LAYOUT).is_err());
    }

    #[test]
    fn zero_filled_tails_are_found(payload in proptest::collection::vec(1u8..=255, 1..300), keep in any::<prop::sample::Index>()) {
        let (bytes, _) = encode(place(12), &payload);
        let keep = keep.index(bytes.len());
        let mut torn = bytes.to_vec();
        torn[keep..].fill(0);
        prop_assert!(torn == bytes.as_ref() || decode(&torn.into(), LAYOUT).is_err());
    }
}
