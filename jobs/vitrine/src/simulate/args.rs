//! The arguments of `vitrine simulate`, some of which `vitrine demo` has too, and the plan that follows from them.

use std::path::PathBuf;

use chrono::NaiveDate;
use chrono_tz::Tz;
use clap::value_parser;
use simulator::Plan;

use super::pace::{Pace, positive};
use crate::config::Config;

/// What every command that simulates lets its caller choose.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Local days to simulate, 1 to 3660
    #[arg(long, value_name = "N", default_value_t = Plan::default().days, value_parser = value_parser!(u32).range(1..=3660))]
    pub(crate) days: u32,
    /// Customers of all kinds, nearly all of them retailers, 1 to 1000000
    #[arg(long, value_name = "N", default_value_t = Plan::default().customers, value_parser = value_parser!(u32).range(1..=1_000_000))]
    customers: u32,
    /// Seed of all randomness, any number from 0: equal arguments give equal events
    #[arg(long, value_name = "S", default_value_t = Plan::default().seed)]
    seed: u64,
}

impl PlanArgs {
    /// A plan of these days, customers and seed in a zone; the rest is that of the default plan.
    pub(crate) fn plan(&self, zone: Tz) -> Plan {
        Plan {
            days: self.days,
            customers: self.customers,
            seed: self.seed,
            zone,
            ..Plan::default()
        }
    }
}

/// Arguments of `vitrine simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine simulate --out events --days 28
  vitrine simulate --out events --dirty --seed 7      (disorder, duplicates, malformed and late records; truth/ lists them)
  vitrine simulate --out events --kafka --speed 3600  (to Kafka too, an hour per second)")]
pub(crate) struct SimulateArgs {
    /// Folder for `<topic>/<partition>.ndjson`, ref/ and truth/
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// First local day, from 2000-01-01 on
    #[arg(long, value_name = "DATE", default_value_t = Plan::default().start)]
    start: NaiveDate,
    /// Partitions of every topic, 1 to 1000; with --kafka, as many as the topics have
    #[arg(long, value_name = "N", default_value_t = Plan::default().partitions, value_parser = value_parser!(u32).range(1..=1_000))]
    partitions: u32,
    /// Add disorder, and records that must not be accepted
    #[arg(long)]
    dirty: bool,
    /// Send to Kafka too, with the time of sending as timestamp; the topics must exist
    #[arg(long)]
    pub(super) kafka: bool,
    /// Send at most this many events per second
    #[arg(long, value_name = "EV_PER_S", value_parser = positive, requires = "kafka", conflicts_with = "speed")]
    rate: Option<f64>,
    /// Send this many times as fast as the events were recorded
    #[arg(long, value_name = "X", value_parser = positive, requires = "kafka")]
    speed: Option<f64>,
}

impl SimulateArgs {
    pub(super) fn plan(&self, config: &Config) -> Plan {
        Plan {
            start: self.start,
            partitions: self.partitions,
            dirty: self.dirty,
            ..self.plan.plan(config.time.zone)
        }
    }

    pub(super) fn pace(&self) -> Pace {
        match (self.rate, self.speed) {
            (Some(per_second), _) => Pace::Rate(per_second),
            (None, Some(times)) => Pace::Speed(times),
            (None, None) => Pace::Unlimited,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn parse(arguments: &[&str]) -> Result<Plan, clap::Error> {
        let command =
            Command::try_parse_from(["simulate", "--out", "events"].iter().chain(arguments))?;
        Ok(command.simulate.plan(&Config::default()))
    }

    #[test]
    fn without_arguments_the_plan_is_the_default_one() {
        assert_eq!(parse(&[]).unwrap(), Plan::default());
        let plan = parse(&["--days", "3", "--seed", "0", "--partitions", "1"]).unwrap();
        assert_eq!((plan.days, plan.seed, plan.partitions), (3, 0, 1));
    }

    #[test]
    fn numbers_out_of_range_are_refused_and_the_help_names_the_range() {
        let help = Command::command().render_help().to_string();
        for (name, least, most) in [
            ("--days", 1, 3_660),
            ("--customers", 1, 1_000_000),
            ("--partitions", 1, 1_000),
        ] {
            for (value, is_accepted) in [
                (least - 1, false),
                (least, true),
                (most, true),
                (most + 1, false),
            ] {
                let parsed = parse(&[name, &value.to_string()]);
                assert_eq!(parsed.is_ok(), is_accepted, "{name} {value}");
            }
            assert!(help.contains(&format!("{least} to {most}")), "{help}");
        }
    }
}
