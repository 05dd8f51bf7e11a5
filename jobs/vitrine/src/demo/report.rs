//! The report of a demo that has ended, on stdout.

use std::path::PathBuf;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use indicatif::HumanCount;
use pipeline::publisher::RunSummary;
use pipeline::query::Session;
use simulator::Plan;

use super::alerts;
use super::queries::{FINDINGS, TO_TRY};
use crate::config::Config;
use crate::output::print_lines;
use crate::progress::Progress;
use crate::storage::EpochReader;
use crate::{audit, query};

/// Alerts shown per rule.
const ALERTS_PER_RULE: usize = 3;

/// A demo that has ended.
pub(super) struct DemoReport<'d> {
    pub(super) config: &'d Config,
    pub(super) config_file: PathBuf,
    pub(super) plan: &'d Plan,
    /// Requested days; a live plan has more.
    pub(super) days: u32,
}

impl DemoReport<'_> {
    /// What was read, and the verdicts on it (P4).
    pub(super) fn summary(
        &self,
        summary: &RunSummary,
        took: Duration,
        was_stopped: bool,
    ) -> anyhow::Result<()> {
        let ended = if was_stopped { "stopped" } else { "done" };
        let ran = format!(
            "{ended} after {:.1} s: {} days from {}, {} customers, {} shards",
            took.as_secs_f64(),
            self.days,
            self.plan.start,
            HumanCount(self.plan.customers.into()),
            self.plan.partitions,
        );
        let conserved = format!(
            "read {} = accepted {} + duplicate {} + too late {} + dead letters {}",
            HumanCount(summary.read),
            HumanCount(summary.accepted),
            HumanCount(summary.duplicate),
            HumanCount(summary.too_late),
            HumanCount(summary.dead),
        );
        let published = format!(
            "{} metric rows, epoch {}",
            HumanCount(summary.rows as u64),
            summary.epoch,
        );
        print_lines([ran, conserved, published])
    }

    /// Metric rows and alerts, all of one epoch.
    pub(super) async fn findings(&self) -> anyhow::Result<()> {
        let session = EpochReader::new(self.config)?.session().await?;
        for finding in &FINDINGS {
            let rows = query::batches(&session, finding.sql).await?;
            let table = if rows.iter().any(|batch| batch.num_rows() > 0) {
                text_table(&rows)?
            } else {
                format!("  {}", finding.if_empty)
            };
            print_lines([format!("\n{}", finding.title), table])?;
        }
        self.alerts(&session).await?;
        session.close().await;
        Ok(())
    }

    async fn alerts(&self, session: &Session) -> anyhow::Result<()> {
        for (rule_id, what) in [
            ("A01", "retail margin too low"),
            ("A15", "department not notified in time"),
        ] {
            let (shown, number) = alerts::fired(session, rule_id, ALERTS_PER_RULE).await?;
            let first = if number > shown.len() {
                format!("; {} of them", shown.len())
            } else {
                String::new()
            };
            let title = format!("\nAlerts {rule_id}, {what}: {number} fired{first}");
            let alerts = shown.iter().map(|alert| alert.lines(self.config.time.zone));
            print_lines(std::iter::once(title).chain(alerts))?;
        }
        Ok(())
    }

    /// Recomputes every row from the accepted events; the number of differences.
    pub(super) async fn audit(&self) -> anyhow::Result<u64> {
        let mut progress = Progress::new("audited", None);
        let found = audit::audit(self.config, None, |done, total| {
            progress.update(done as u64, &format!("of {total} windows"));
        })
        .await?;
        drop(progress);
        let title = "\nAudit: every row recomputed in batch from the accepted events";
        print_lines([title.to_owned()])?;
        print_lines(found.lines().iter().map(|line| wrapped(line)))?;
        Ok(found.differences())
    }

    /// Commands to paste; `took` includes everything above.
    pub(super) fn commands_to_try(&self, took: Duration) -> anyhow::Result<()> {
        let commands = TO_TRY.map(|query| format!("\n{}", self.command(query)));
        let prompt = format!("\n{} sql", self.program());
        print_lines(
            [
                format!("\nAll of it took {:.1} s.", took.as_secs_f64()),
                "\nTo try:".to_owned(),
            ]
            .into_iter()
            .chain(commands)
            .chain([prompt]),
        )
    }

    fn command(&self, query: &str) -> String {
        format!("{} sql \"\n{query}\"", self.program())
    }

    /// This program as it was called, with the configuration of the demo.
    fn program(&self) -> String {
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "vitrine".to_owned());
        let file = self.config_file.display().to_string();
        format!("{} --config {}", shell_word(&program), shell_word(&file))
    }
}

/// Columns of a terminal.
const WIDTH: usize = 80;

/// A line, indented and broken between words so that it fits a terminal.
fn wrapped(line: &str) -> String {
    let mut lines = vec![" ".to_owned()];
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(format!("      {word}")),
        }
    }
    lines.join("\n")
}

/// Rows under their column names, indented and without a frame.
fn text_table(batches: &[RecordBatch]) -> anyhow::Result<String> {
    let framed = pretty_format_batches(batches)?.to_string();
    let lines: Vec<String> = framed
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| format!("  {}", line.replace('|', " ").trim_end()))
        .collect();
    Ok(lines.join("\n"))
}

/// A word quoted for a POSIX shell.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:,@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(
            shell_word("./target/debug/vitrine"),
            "./target/debug/vitrine"
        );
        assert_eq!(shell_word("my demo/vitrine.toml"), "'my demo/vitrine.toml'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrapped("a few words"), "  a few words");
        let long = "shard 0: read 1151 = accepted 1151 + duplicate 0 + dead letters 0 + too late 0; events stored 1151: ok";
        assert_eq!(
            wrapped(long),
            "  shard 0: read 1151 = accepted 1151 + duplicate 0 + dead letters 0 + too late\n      \
             0; events stored 1151: ok"
        );
    }

    #[test]
    fn queries_fit_between_double_quotes_and_into_a_terminal() {
        let findings = FINDINGS.iter().map(|finding| finding.sql);
        for query in TO_TRY.into_iter().chain(findings) {
            assert!(!query.contains(['"', '$', '`', '\\', '!']), "{query}");
            assert!(query.lines().all(|line| line.len() <= 80), "{query}");
        }
    }
}
