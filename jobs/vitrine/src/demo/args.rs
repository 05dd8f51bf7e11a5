//! The arguments of `vitrine demo`, and the plan that follows from them.

use std::path::PathBuf;

use chrono::Duration;
use indicatif::HumanCount;
use pipeline::time::{Zone, wall};
use simulator::Plan;

use crate::config::Config;
use crate::output::tell;
use crate::simulate::PlanArgs;

/// Two shards show everything that several do; each further one costs the planning of its own queries.
const PARTITIONS: u32 = 2;
/// How long the plan of a live demo goes on after today.
const DAYS_AHEAD: u32 = 366;

/// Arguments of `vitrine demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine demo --once            (14 days of 500 retailers, the results, and the end)
  vitrine demo                   (the same up to now, then live until Ctrl-C)
  vitrine demo --once --days 56 --dir weeks8      (long enough for trends)")]
pub(crate) struct DemoArgs {
    /// Folder to create; a folder that is not empty is refused
    #[arg(long, value_name = "DIR", default_value = "vitrine-demo")]
    pub(super) dir: PathBuf,
    #[command(flatten)]
    simulated: PlanArgs,
    /// Process the simulated days, print the summary and end
    #[arg(long)]
    pub(super) once: bool,
}

impl DemoArgs {
    /// The plan of the simulator: fixed days, or days that end today and go on.
    pub(super) fn plan(&self, config: &Config) -> Plan {
        let plan = Plan {
            partitions: PARTITIONS,
            ..self.simulated.plan(config.time.zone)
        };
        if self.once {
            return plan;
        }
        let today = Zone(config.time.zone).day_of(wall::now()).date();
        Plan {
            start: today - Duration::days(self.days().into()),
            days: self.days() + DAYS_AHEAD,
            ..plan
        }
    }

    /// The days that were asked for; a live plan has more.
    pub(super) fn days(&self) -> u32 {
        self.simulated.days
    }

    /// Prints to stderr what is simulated.
    pub(super) fn announce(&self, plan: &Plan) {
        let customers = HumanCount(plan.customers.into());
        if self.once {
            tell(format_args!(
                "simulating {} days from {}: {customers} customers, {} shards",
                plan.days, plan.start, plan.partitions
            ));
        } else {
            tell(format_args!(
                "simulating {} days up to now, then live until Ctrl-C: {customers} customers, {} shards",
                self.days(),
                plan.partitions
            ));
        }
        tell(format_args!(
            "broker: in-process, nothing to install; `vitrine publish {}` sends the same\nevents to a real Kafka",
            self.dir.join("events").display()
        ));
    }
}
