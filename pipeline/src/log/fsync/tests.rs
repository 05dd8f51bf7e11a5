use object_store::ObjectStoreExt;

use super::*;
use crate::log::{Access, open_store};

fn opened() -> (tempfile::TempDir, FsyncStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FsyncStore::open(
        &folder.path().join("made/on/the/way"),
        StorageMode::default(),
    )
    .unwrap();
    (folder, store)
}

fn names(store: &FsyncStore, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(store.disk.root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn read(store: &FsyncStore, path: &str) -> String {
    let bytes = store
        .get(&Path::from(path))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn create_if_absent_has_one_winner_and_leaves_nothing_behind() {
    let (_folder, store) = opened();
    let path = Path::from("log/shard-0/record/1");
    let puts = (0..24).map(|writer: u32| {
        let (store, path) = (store.clone(), path.clone());
        tokio::spawn(async move {
            let payload = PutPayload::from(writer.to_string());
            store
                .put_opts(&path, payload, PutMode::Create.into())
                .await
                .map(|_| writer)
        })
    });
    let answers: Vec<_> = futures::future::join_all(puts)
        .await
        .into_iter()
        .map(|joined| joined.unwrap())
        .collect();
    let winners: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert!(
        answers.iter().flatten().count()
            + answers
                .iter()
                .filter(|answer| matches!(answer, Err(Error::AlreadyExists { .. })))
                .count()
            == 24
    );
    assert_eq!(
        read(&store, "log/shard-0/record/1").await,
        winners[0].to_string()
    );
    assert_eq!(
        names(&store, "log/shard-0/record"),
        ["1"],
        "no staged file stays"
    );
}

#[tokio::test]
async fn overwriting_replaces_and_staged_files_are_not_listed() {
    let (_folder, store) = opened();
    let path = Path::from("checkpoint/7");
    store.put(&path, "old".into()).await.unwrap();
    store.put(&path, "new".into()).await.unwrap();
    assert_eq!(read(&store, "checkpoint/7").await, "new");
    // What a crash between write and name leaves behind.
    std::fs::write(
        staged_name(&store.local.path_to_filesystem(&path).unwrap()),
        b"half",
    )
    .unwrap();
    assert_eq!(names(&store, "checkpoint").len(), 2);
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(
        listed
            .into_iter()
            .map(|meta| meta.location)
            .collect::<Vec<_>>(),
        [path]
    );
}

#[tokio::test]
async fn listings_are_sorted() {
    let (_folder, store) = opened();
    for number in [30, 4, 11, 2, 25, 17, 9] {
        store
            .put(&Path::from(format!("log/{number:03}")), "x".into())
            .await
            .unwrap();
    }
    let listed: Vec<_> = store
        .list(Some(&Path::from("log")))
        .try_collect()
        .await
        .unwrap();
    assert!(listed.is_sorted_by(|a, b| a.location < b.location));
    assert_eq!(listed.len(), 7);
    let after: Vec<_> = store
        .list_with_offset(Some(&Path::from("log")), &Path::from("log/011"))
        .try_collect()
        .await
        .unwrap();
    assert!(after.is_sorted_by(|a, b| a.location < b.location));
    assert_eq!(after.len(), 3);
}

#[tokio::test]
async fn copies_and_renames_keep_their_promise() {
    let (_folder, store) = opened();
    let [a, b, c] = ["x/a", "y/b", "z/c"].map(Path::from);
    store.put(&a, "a".into()).await.unwrap();
    store.copy(&a, &b).await.unwrap();
    assert!(matches!(
        store.copy_if_not_exists(&a, &b).await,
        Err(Error::AlreadyExists { .. })
    ));
    store.rename(&b, &c).await.unwrap();
    assert!(matches!(store.get(&b).await, Err(Error::NotFound { .. })));
    assert!(matches!(
        store.rename_if_not_exists(&a, &c).await,
        Err(Error::AlreadyExists { .. })
    ));
    assert_eq!(
        (read(&store, "x/a").await, read(&store, "z/c").await),
        ("a".to_owned(), "a".to_owned())
    );
    assert!(matches!(
        store.rename(&b, &a).await,
        Err(Error::NotFound { .. })
    ));
    store.put(&a, "changed".into()).await.unwrap();
    assert_eq!(
        read(&store, "z/c").await,
        "a",
        "a copy is not the same file under another name once one is replaced"
    );
}

#[tokio::test]
async fn uploads_in_parts_appear_whole_or_not_at_all() {
    let (_folder, store) = opened();
    let path = Path::from("big/one");
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("first ".into()).await.unwrap();
    assert!(matches!(
        store.head(&path).await,
        Err(Error::NotFound { .. })
    ));
    upload.put_part("second".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(read(&store, "big/one").await, "first second");
}

#[tokio::test]
async fn a_folder_removed_behind_our_back_is_made_again() {
    let (_folder, store) = opened();
    store.put(&Path::from("t/1"), "x".into()).await.unwrap();
    std::fs::remove_dir_all(store.disk.root.join("t")).unwrap();
    store.put(&Path::from("t/2"), "x".into()).await.unwrap();
    assert_eq!(names(&store, "t"), ["2"]);
}

#[test]
fn works_without_a_runtime() {
    let (_folder, store) = opened();
    futures::executor::block_on(store.put(&Path::from("a"), "b".into())).unwrap();
    assert_eq!(names(&store, ""), ["a"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = open_store(
        &format!("file://{}/below", file.display()),
        Access::default(),
    )
    .expect_err("a file is in the way")
    .to_string();
    assert!(error.contains("file/below"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn k48_permissions_are_those_of_the_place_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("storage");
    let store = FsyncStore::open(&root, StorageMode::new(0o770).unwrap()).unwrap();
    for path in [
        "tables/metrics/m/1.parquet",
        "log/shard-0/record/1",
        "latest/x",
    ] {
        store.put(&Path::from(path), "x".into()).await.unwrap();
    }
    let from = Path::from("tables/metrics/m/1.parquet");
    store
        .copy(&from, &Path::from("tables/metrics/m/2.parquet"))
        .await
        .unwrap();
    let mode = |path: &str| {
        let metadata = std::fs::metadata(root.join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    let table = [
        ("", 0o700),
        ("log", 0o700),
        ("log/shard-0/record", 0o700),
        ("log/shard-0/record/1", 0o600),
        ("tables", 0o770),
        ("tables/metrics/m", 0o770),
        ("tables/metrics/m/1.parquet", 0o660),
        ("tables/metrics/m/2.parquet", 0o660),
        ("latest", 0o770),
        ("latest/x", 0o660),
    ];
    for (path, expected) in table {
        assert_eq!(mode(path), expected, "{path} has {:o}", mode(path));
    }
    // A root that exists keeps what its owner gave it.
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    FsyncStore::open(&root, StorageMode::default()).unwrap();
    assert_eq!(mode(""), 0o755);
}

#[test]
fn a_reader_makes_no_storage() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("nowhere");
    let error = open_store(&format!("file://{}", root.display()), Access::Read).unwrap_err();
    assert!(
        error.to_string().contains("there is no storage at"),
        "{error}"
    );
    assert!(!root.exists());
    // Nor does a folder become one by being looked at.
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("letter.txt"), b"x").unwrap();
    let url = format!("file://{}", root.display());
    let error = open_store(&url, Access::Read).unwrap_err();
    assert!(
        error.to_string().contains("there is no storage at"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1);
    std::fs::create_dir(root.join("log")).unwrap();
    assert!(open_store(&url, Access::Read).is_ok());
}

#[test]
fn a_mode_leaves_the_owner_all_rights() {
    assert!(StorageMode::new(0o700).is_ok() && StorageMode::new(0o777).is_ok());
    for mode in [0, 0o640, 0o077, 0o1777] {
        assert!(StorageMode::new(mode).is_err(), "{mode:o}");
    }
}
