//! A query over a small storage: rows or an error in words, no panic even inside, and no file is touched (F25, F26).
//!
//! Queries have no time limit of their own yet: one that runs for long is dropped, which has to end it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use pipeline::query::Session;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::STACK_BYTES;
use crate::mutate::Random;
use crate::sql_text::Queries;
use crate::storage::SmallStorage;
use crate::target::{Input, Outcome, Part, Target};

const AT_MOST: Duration = Duration::from_secs(2);
const MAX_ROWS: usize = 20_000;

/// See the module's page.
pub(crate) struct Sql {
    queries: Queries,
    session: Session,
    runtime: Runtime,
    files: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
    storage: SmallStorage,
}

impl Sql {
    pub(crate) fn new() -> Result<Self> {
        let storage = SmallStorage::new()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        let session = runtime.block_on(storage.session())?;
        Ok(Self {
            queries: Queries::new(session.names())?,
            session,
            runtime,
            files: storage.files()?,
            storage,
        })
    }
}

impl Target for Sql {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        Ok(vec![Part::new("query", self.queries.draw(random))])
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        let query = input.first().context("no query")?.text();
        let session = &self.session;
        // The time-out is made inside the runtime whose clock it uses.
        let answered = self
            .runtime
            .block_on(async { timeout(AT_MOST, answer(session, &query)).await });
        let files = self.storage.files()?;
        if files != self.files {
            let changed = files
                .iter()
                .find(|(path, of)| self.files.get(*path) != Some(of));
            let problem = format!("the storage is changed, or lacks a file: {changed:?}");
            self.files = files;
            return Ok(Outcome::Broken(problem));
        }
        Ok(match answered {
            Ok(Ok(())) => Outcome::Accepted,
            Ok(Err(error)) if error.contains("broke down") => Outcome::Broken(error),
            Ok(Err(_)) | Err(_) => Outcome::Refused,
        })
    }
}

/// Reads the rows, or the first many of them.
async fn answer(session: &Session, query: &str) -> Result<(), String> {
    let mut rows = 0;
    let mut answer = session
        .query(query)
        .await
        .map_err(|error| error.to_string())?;
    while let Some(batch) = answer.next().await {
        rows += batch.map_err(|error| error.to_string())?.num_rows();
        if rows > MAX_ROWS {
            break;
        }
    }
    Ok(())
}
