use proptest::prelude::*;

use super::*;

fn place(number: u64) -> RecordPlace {
    RecordPlace {
        kind: RecordKind::Data,
        number,
        claim: ClaimId {
            number: 3,
            nonce: 0x1234_5678_9abc,
        },
        previous: [7; 32],
        put_at_ms: 1_767_571_200_000,
    }
}

#[test]
fn what_goes_in_comes_out_compressed_or_not() {
    for payload in [&b""[..], b"x", &[0; 100_000], b"not worth compressing"] {
        let (bytes, hash) = encode(place(9), payload);
        let record = decode(&bytes).expect("decodes");
        assert_eq!(&record.payload[..], payload);
        assert_eq!(record.hash, hash);
        assert_eq!(record.position(), LogPosition { number: 9, hash });
        assert_eq!(record.header.claim, place(9).claim);
        assert_eq!(record.header.previous, [7; 32]);
        assert_eq!(record.header.put_at_ms, 1_767_571_200_000);
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
        let damage = decode(&bytes.slice(..length)).expect_err("cut");
        assert!(
            matches!(damage, Damage::Truncated { .. }),
            "length={length}: {damage}"
        );
    }
}

#[test]
fn foreign_longer_and_newer_bytes_are_named() {
    let (bytes, _) = encode(place(1), b"a payload");
    assert_eq!(decode(&Bytes::from(vec![0; 4096])), Err(Damage::NotARecord));
    let longer = Bytes::from([&bytes[..], b"!"].concat());
    assert!(matches!(decode(&longer), Err(Damage::TooLong { .. })));

    // A future format keeps frame and hash, so it is told from damage.
    let mut newer = bytes.to_vec();
    newer[4..6].copy_from_slice(&2u16.to_le_bytes());
    let header_end = FRAME_BYTES + usize::from(u16::from_le_bytes([newer[6], newer[7]]));
    let hash: [u8; 32] = Sha256::digest(&newer[..header_end]).into();
    newer[header_end..header_end + HASH_BYTES].copy_from_slice(&hash);
    assert_eq!(
        decode(&newer.into()),
        Err(Damage::NewerFormat { format: 2 })
    );
}

proptest! {
    #[test]
    fn every_flipped_bit_is_found(payload in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (bytes, _) = encode(place(12), &payload);
        let mut flipped = bytes.to_vec();
        let at = at.index(flipped.len());
        flipped[at] ^= 1 << bit;
        prop_assert!(decode(&flipped.into()).is_err());
    }

    #[test]
    fn zero_filled_tails_are_found(payload in proptest::collection::vec(1u8..=255, 1..300), keep in any::<prop::sample::Index>()) {
        let (bytes, _) = encode(place(12), &payload);
        let keep = keep.index(bytes.len());
        let mut torn = bytes.to_vec();
        torn[keep..].fill(0);
        prop_assert!(torn == bytes.as_ref() || decode(&torn.into()).is_err());
    }
}
