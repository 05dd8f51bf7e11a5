//! A file's content in its name: whoever reads a file can tell whether it is still what was staged.
//!
//! ```text
//! part-<claim>-<epoch>-<index>-<uuid>-<first 16 bytes of the content's SHA-256 as hex>.zstd.parquet
//! ```
//!
//! The name stands in the intent and in the Delta log, and a Delta checkpoint keeps it. So the hash goes wherever the file
//! is named, and costs no look-up. Files with other names (somebody compacted from outside) cannot be checked.

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::error;
use crate::error::Result;
use crate::log::store_failed;

const EXTENSION: &str = ".zstd.parquet";
const HASH_BYTES: usize = 16;
/// Bytes read at once where a file is checked.
const PIECE: u64 = 4 << 20;

/// What a file's name says of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentHash([u8; HASH_BYTES]);

impl ContentHash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    fn finish(hash: Sha256) -> Self {
        let hash: [u8; 32] = hash.finalize().into();
        Self(hash.first_chunk().copied().unwrap_or_default())
    }

    /// The hash in the name of a file; `None` where it has another kind of name.
    pub(super) fn in_name(path: &Path) -> Option<Self> {
        let name = path.filename()?.strip_suffix(EXTENSION)?;
        let (rest, hash) = name.rsplit_once('-')?;
        let mut bytes = [0; HASH_BYTES];
        hex::decode_to_slice(hash, &mut bytes).ok()?;
        rest.starts_with("part-").then_some(Self(bytes))
    }

    /// The name of a file with this content; `stem` is unique.
    pub(super) fn file_name(self, stem: &str) -> String {
        format!("part-{stem}-{}{EXTENSION}", hex::encode(self.0))
    }
}

/// Fails where bytes that were read whole are not what the name says.
pub(super) fn check_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    match ContentHash::in_name(path) {
        Some(named) if named != ContentHash::of(bytes) => Err(error::damaged_file(path)),
        _ => Ok(()),
    }
}

/// Reads a file once, in pieces, and fails where its content is not what its name says.
pub(super) async fn check_stored(store: &dyn ObjectStore, path: &Path) -> Result<()> {
    let Some(named) = ContentHash::in_name(path) else {
        return Ok(());
    };
    match stored(store, path).await {
        Ok(found) if found == named => Ok(()),
        Ok(_) => Err(error::damaged_file(path)),
        Err(StoreError::NotFound { .. }) => Err(error::file_gone(path)),
        Err(source) => Err(store_failed(path)(source)),
    }
}

async fn stored(store: &dyn ObjectStore, path: &Path) -> Result<ContentHash, StoreError> {
    let size = store.head(path).await?.size;
    let mut hash = Sha256::new();
    let mut from = 0;
    while from < size {
        let to = size.min(from + PIECE);
        hash.update(store.get_range(path, from..to).await?);
        from = to;
    }
    Ok(ContentHash::finish(hash))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_file_is_what_its_name_says_or_is_named_as_damaged() {
        let store = InMemory::new();
        let content: Vec<u8> = (0..PIECE + 7).map(|n| (n % 251) as u8).collect();
        let name = ContentHash::of(&content).file_name("3-17-00000-uuid");
        let path = Path::from(format!("tables/test/t/{name}"));
        assert_eq!(ContentHash::in_name(&path), Some(ContentHash::of(&content)));
        let gone = check_stored(&store, &path).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Damaged);
        let mut wrong = vec![
            content[1..].to_vec(),
            Vec::new(),
            [&content[..], b"x"].concat(),
        ];
        for at in [0, 1 << 20, content.len() - 1] {
            let mut flipped = content.clone();
            flipped[at] ^= 4;
            wrong.push(flipped);
        }
        for bytes in wrong {
            check_bytes(&path, &bytes).unwrap_err();
            store.put(&path, bytes.into()).await.unwrap();
            let error = check_stored(&store, &path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert!(error.to_string().contains(path.as_ref()), "{error}");
        }
        check_bytes(&path, &content).unwrap();
        store.put(&path, content.into()).await.unwrap();
        check_stored(&store, &path).await.unwrap();
    }

    #[test]
    fn names_of_others_say_nothing() {
        for name in [
            "part-00000-9a1f-c000.snappy.parquet",
            "part-00001-0123456789abcdef0123456789abcdef.parquet",
            "file-0123456789abcdef0123456789abcdef.zstd.parquet",
            "part-1-2-00000-0123.zstd.parquet",
        ] {
            assert_eq!(ContentHash::in_name(&Path::from(name)), None, "{name}");
        }
    }
}
