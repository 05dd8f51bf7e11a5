//! What malformed records cost the others (F19): the same number of records from files, with some of them cut off and without.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use tests::events::{Events, Line};
use tests::project::Project;

use crate::engine::{self, Ran};
use crate::orders::{self, Orders, PARTITIONS, Sent};

/// How often each is read, in turn.
const PASSES: usize = 3;
/// Share of the throughput that may be lost (F19).
const MOST_LOST: f64 = 0.1;

/// Event files and what they hold.
struct Input {
    events: Events,
    sent: Sent,
    runs: Vec<Ran>,
}

impl Input {
    fn write(folder: &Path, mut orders: Orders) -> Result<Self> {
        let mut lines: Vec<Vec<Line>> = vec![Vec::new(); PARTITIONS as usize];
        for message in &mut orders {
            let partition = usize::try_from(message.partition)?;
            lines[partition].extend(message.payload);
        }
        let events = Events::in_folder(folder);
        for (partition, lines) in lines.iter().enumerate() {
            events.write("orders.v1", partition, lines)?;
        }
        orders::write_reference(&events.reference())?;
        Ok(Self {
            events,
            sent: orders.sent,
            runs: Vec::with_capacity(PASSES),
        })
    }

    fn run(&mut self) -> Result<()> {
        let project = Project::on_files(&self.events)?;
        self.runs.push(engine::run(project, &self.sent, false)?);
        Ok(())
    }

    /// Records a second by the wall, and by CPU time, of the middle run.
    fn speeds(&self) -> [f64; 2] {
        let times: [fn(&Ran) -> f64; 2] = [|run| run.wall_s, |run| run.used.cpu_s];
        times.map(|time| {
            let mut times: Vec<f64> = self.runs.iter().map(time).collect();
            times.sort_by(f64::total_cmp);
            self.sent.records as f64 / times[times.len() / 2]
        })
    }
}

/// A table of both, and the ratio of their speeds.
pub(crate) fn measure(records: u64, seed: u64, one_in: u64) -> Result<String> {
    let (clean_dir, poisoned_dir) = (tempfile::tempdir()?, tempfile::tempdir()?);
    eprintln!("{records} orders, twice");
    let mut clean = Input::write(clean_dir.path(), Orders::new(records, seed))?;
    let poisoned = Orders::new(records, seed).malformed(one_in);
    let mut poisoned = Input::write(poisoned_dir.path(), poisoned)?;
    for pass in 1..=PASSES {
        eprintln!("pass {pass} of {PASSES}");
        clean.run()?;
        poisoned.run()?;
    }
    to_markdown(&clean, &poisoned).context("writing the table")
}

fn to_markdown(clean: &Input, poisoned: &Input) -> Result<String> {
    let mut out = String::from(
        "| records from files, start to exit | malformed | events/s | events per CPU s |\n|---|---:|---:|---:|\n",
    );
    for (name, input) in [("good", clean), ("with malformed ones", poisoned)] {
        let [wall, cpu] = input.speeds();
        let Sent {
            records, malformed, ..
        } = input.sent;
        writeln!(
            out,
            "| {records}, {name} | {malformed} | {wall:.0} | {cpu:.0} |"
        )?;
    }
    let ratios: Vec<f64> = poisoned
        .speeds()
        .into_iter()
        .zip(clean.speeds())
        .map(|(poisoned, clean)| poisoned / clean)
        .collect();
    let flag = if ratios[1] < 1.0 - MOST_LOST {
        " **lost over 10 %**"
    } else {
        ""
    };
    writeln!(
        out,
        "| ratio | | {:.3} | {:.3}{flag} |",
        ratios[0], ratios[1]
    )?;
    Ok(out)
}
