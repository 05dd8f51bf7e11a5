//! The prompt: reads lines and prints rows until `\q` or end of input.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pipeline::query::output::Format;
use pipeline::query::{Names, Session, statement};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper, Highlighter, Hinter};

use crate::output::tell;

use super::complete;
use super::meta::{self, MetaCommand};
use super::print::{epoch_of, is_broken_pipe, print};

/// Lines kept in the history.
const HISTORY_LINES: usize = 10_000;

/// Runs until `\q` or end of input; `open` opens the newest epoch.
pub(super) async fn run(mut format: Format, open: impl AsyncFn() -> Result<Session>) -> Result<()> {
    let mut session = open().await?;
    let mut editor = editor(session.names().clone())?;
    let history = history_file();
    if let Some(file) = &history {
        // A first start has none; the prompt works without it.
        let _ = editor.load_history(file);
    }
    tell(format_args!(
        "{}; \\? for help, \\q to leave",
        epoch_of(&session)
    ));
    loop {
        let (returned, line) = read_line(editor).await?;
        editor = returned;
        let line = match line {
            Ok(line) if statement::is_blank(&line) => continue,
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("the terminal cannot be read"),
        };
        remember(&mut editor, history.as_ref(), &line);
        let command = if line.trim_start().starts_with('\\') {
            meta::parse(&line, &session)
        } else {
            Ok(MetaCommand::Query(line))
        };
        match command {
            Ok(MetaCommand::Quit) => break,
            Ok(MetaCommand::Show(text)) => tell(text.trim_end()),
            Ok(MetaCommand::Format(chosen)) => format = chosen,
            Ok(MetaCommand::Epoch) => {
                renew(&mut session, &open).await;
                tell(format_args!("{}", epoch_of(&session)));
            }
            Ok(MetaCommand::Query(text)) => {
                renew(&mut session, &open).await;
                for query in statement::split(&text) {
                    if !answer(&session, query, format).await {
                        session.close().await;
                        return Ok(());
                    }
                }
            }
            Err(problem) => tell(problem),
        }
        if let Some(helper) = editor.helper_mut() {
            helper.names = session.names().clone();
        }
    }
    session.close().await;
    Ok(())
}

/// Opens the newest epoch; if that fails, reports it and keeps the current one.
async fn renew(session: &mut Session, open: &impl AsyncFn() -> Result<Session>) {
    match open().await {
        Ok(newest) => *session = newest,
        Err(error) => tell(format_args!(
            "the newest epoch cannot be opened, still at epoch={}: {error:#}",
            session.epoch()
        )),
    }
}

/// Prints the rows or the error of a query; false if stdout is closed. Ctrl-C stops the query, not the prompt.
async fn answer(session: &Session, query: &str, format: Format) -> bool {
    let printed = tokio::select! {
        printed = print(session, query, format, None) => printed,
        _ = tokio::signal::ctrl_c() => {
            tell("stopped");
            return true;
        }
    };
    match printed {
        Ok(()) => true,
        Err(error) if is_broken_pipe(&error) => false,
        Err(error) => {
            tell(format_args!("{error:#}"));
            true
        }
    }
}

type Prompt = Editor<Assistant, FileHistory>;

fn editor(names: Names) -> Result<Prompt> {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES)?
        .history_ignore_space(true)
        .auto_add_history(false)
        .build();
    let mut editor = Editor::with_config(config).context("the terminal cannot be used")?;
    editor.set_helper(Some(Assistant { names }));
    Ok(editor)
}

/// Reads a line on a thread of its own: the threads of the runtime must not block.
async fn read_line(mut editor: Prompt) -> Result<(Prompt, rustyline::Result<String>)> {
    let read = move || {
        let line = editor.readline("vitrine> ");
        (editor, line)
    };
    tokio::task::spawn_blocking(read)
        .await
        .context("the prompt has ended unexpectedly")
}

fn remember(editor: &mut Prompt, history: Option<&PathBuf>, line: &str) {
    let added = editor.add_history_entry(line.trim_end()).unwrap_or(false);
    if let (true, Some(file)) = (added, history) {
        // Written at once, so that two prompts share one history. Without it the prompt still works.
        let _ = editor.append_history(file);
    }
}

/// `$XDG_STATE_HOME/vitrine/history`, by default under `~/.local/state`; `None` if the folder cannot be created.
fn history_file() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    let folder = state.join("vitrine");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completion, and the decision whether Enter ends the query.
#[derive(Helper, Hinter, Highlighter)]
struct Assistant {
    names: Names,
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete::candidates(&self.names, line, position))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        let complete = input.trim_start().starts_with('\\')
            || statement::is_blank(input)
            || statement::end(input).is_some();
        Ok(if complete {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}
