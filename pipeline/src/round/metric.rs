//! A metric: its queries and what their header says.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use schemas::event::TopicSet;

use crate::error::{Error, ErrorKind, Result};
use crate::time::WindowKind;

/// The queries of a metric's folder.
#[derive(Clone, Copy, Debug)]
pub struct MetricQueries {
    pub name: &'static str,
    pub stream: Option<&'static str>,
    pub shard: Option<&'static str>,
    pub public: Option<&'static str>,
}

/// A metric as the engine drives it.
///
/// Its first query (`stream.sql`, else `shard.sql`) begins with a header: lines `-- key: value`, up to the first other line.
/// `metric`, `windows` and `clock` are required, `facts` with `stream.sql`; `look_back` and `look_ahead` are 0 days unless given.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::datatypes::Schema;
/// use pipeline::round::{Metric, MetricQueries};
/// use pipeline::time::WindowKind;
/// use schemas::event::{Topic, TopicSet};
///
/// let stream = "\
/// -- metric: M02 sell_through
/// -- facts: sell_through
/// -- windows: D1, W1
/// -- clock: orders, visits
/// -- look_ahead: 14d
/// SELECT sku_id, SUM(sell_through_qty) AS sell_through_qty FROM facts.sell_through GROUP BY sku_id";
/// let queries = MetricQueries {
///     name: "sell_through",
///     stream: Some(stream),
///     shard: None,
///     public: None,
/// };
/// // Columns and dimensions of `metrics.<name>`.
/// let table_of = |_: &str| Some((Arc::new(Schema::empty()), vec!["sku_id".to_owned()]));
///
/// let metric = Metric::load_all(&[queries], table_of).unwrap().remove(0);
/// assert_eq!(metric.title, "M02 sell_through");
/// assert_eq!(metric.facts.as_deref(), Some("sell_through"));
/// assert_eq!(metric.windows, [WindowKind::D1, WindowKind::W1]);
/// assert_eq!(metric.clock, TopicSet::of(&[Topic::Orders, Topic::Visits]));
/// assert_eq!((metric.look_back_days, metric.look_ahead_days), (0, 14));
///
/// let misspelt = MetricQueries { stream: Some("-- window: D1\nSELECT 1"), ..queries };
/// let error = Metric::load_all(&[misspelt], table_of).unwrap_err();
/// assert!(error.to_string().contains("header window: unknown key"), "{error}");
/// ```
#[derive(Clone, Debug)]
pub struct Metric {
    pub name: String,
    /// Its number in the catalogue and name, as the header has it (`M06 retailer_margin`).
    pub title: String,
    /// The fact table that stream.sql reads.
    pub facts: Option<String>,
    pub windows: Vec<WindowKind>,
    /// Topics whose watermarks make its clock.
    pub clock: TopicSet,
    pub look_back_days: i32,
    /// How long after a window's end facts may still come about by themselves, K7.
    pub look_ahead_days: i32,
    pub stream: Option<String>,
    pub shard: Option<String>,
    pub public: Option<String>,
    /// `panes.*` that its shard.sql reads, directly or through `rows.*`.
    pub reads_panes: BTreeSet<String>,
    pub reads_rows: BTreeSet<String>,
    pub reads_as_of: bool,
    /// Columns of its public table.
    pub table: SchemaRef,
    /// Dimensions: with the window, the key of a row.
    pub dimensions: Vec<String>,
}

/// Why a metric cannot be loaded.
#[derive(Debug)]
pub struct MetricProblem {
    /// The metric to blame.
    pub metric: String,
    pub error: Error,
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

const KEYS: [&str; 7] = [
    "metric",
    "facts",
    "windows",
    "clock",
    "look_back",
    "look_ahead",
    "scope",
];

struct QueryHeader<'a> {
    metric: &'a str,
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> QueryHeader<'a> {
    /// The `-- key: value` lines before the first line that is something else.
    fn of(metric: &'a str, query: &'a str) -> Result<Self> {
        let mut header = Self {
            metric,
            lines: Vec::new(),
        };
        for line in query.lines() {
            let Some((key, value)) = line
                .strip_prefix("-- ")
                .and_then(|comment| comment.split_once(':'))
            else {
                break;
            };
            let key = key.trim();
            if !KEYS.contains(&key) {
                let known = KEYS.join(", ");
                return Err(header.bad(key, &format!("unknown key; known: {known}")));
            }
            header.lines.push((key, value.trim()));
        }
        Ok(header)
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.lines
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    fn need(&self, key: &str) -> Result<&'a str> {
        self.get(key).ok_or_else(|| {
            wrong(format!(
                "metric={}: the header line `-- {key}: …` is missing in its first query",
                self.metric
            ))
        })
    }

    fn days(&self, key: &str) -> Result<i32> {
        let Some(value) = self.get(key) else {
            return Ok(0);
        };
        value
            .strip_suffix('d')
            .and_then(|days| days.parse().ok())
            .ok_or_else(|| self.bad(key, &format!("{value} is no number of days like 28d")))
    }

    fn bad(&self, key: &str, problem: &str) -> Error {
        wrong(format!("metric={}: header {key}: {problem}", self.metric))
    }
}

impl Metric {
    /// Reads headers and queries of all metrics; they come back in an order in which `rows.*` are there before they are read.
    pub fn load_all(
        queries: &[MetricQueries],
        table_of: impl Fn(&str) -> Option<(SchemaRef, Vec<String>)>,
    ) -> Result<Vec<Self>> {
        let (metrics, problems) = Self::load_each(queries, table_of);
        match problems.into_iter().next() {
            Some(problem) => Err(problem.error),
            None => Ok(metrics),
        }
    }

    /// The same with all problems at once: the metrics that can be loaded, in such an order, and what is wrong with each of
    /// the others.
    pub fn load_each(
        queries: &[MetricQueries],
        table_of: impl Fn(&str) -> Option<(SchemaRef, Vec<String>)>,
    ) -> (Vec<Self>, Vec<MetricProblem>) {
        let (mut waiting, mut problems) = (Vec::new(), Vec::new());
        for of_metric in queries {
            match Self::load(of_metric, &table_of) {
                Ok(metric) => waiting.push(metric),
                Err(error) => problems.push(MetricProblem {
                    metric: of_metric.name.to_owned(),
                    error,
                }),
            }
        }
        let mut ordered: Vec<Self> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let ready = |metric: &Self| {
                metric
                    .reads_rows
                    .iter()
                    .all(|name| ordered.iter().any(|done| done.name == *name))
            };
            let Some(next) = waiting.iter().position(ready) else {
                problems.push(waiting.remove(0).stuck());
                continue;
            };
            let mut metric = waiting.remove(next);
            for name in metric.reads_rows.clone() {
                for other in ordered.iter().filter(|other| other.name == name) {
                    metric.reads_panes.extend(other.reads_panes.iter().cloned());
                    metric.reads_as_of |= other.reads_as_of;
                    metric.look_back_days = metric.look_back_days.max(other.look_back_days);
                }
            }
            ordered.push(metric);
        }
        (ordered, problems)
    }

    /// What it reads never comes.
    fn stuck(self) -> MetricProblem {
        let others: Vec<String> = self.reads_rows.into_iter().collect();
        let error = wrong(format!(
            "metric={} reads rows.{}, which is no metric or reads it back",
            self.name,
            others.join(", ")
        ));
        MetricProblem {
            metric: self.name,
            error,
        }
    }

    fn load(
        queries: &MetricQueries,
        table_of: &impl Fn(&str) -> Option<(SchemaRef, Vec<String>)>,
    ) -> Result<Self> {
        let name = queries.name;
        let first = queries.stream.or(queries.shard).ok_or_else(|| {
            wrong(format!(
                "metric={name}: it has neither stream.sql nor shard.sql"
            ))
        })?;
        let header = QueryHeader::of(name, first)?;
        let windows = header
            .need("windows")?
            .split(',')
            .map(|kind| kind.trim().parse())
            .collect::<Result<Vec<WindowKind>, String>>()
            .map_err(|problem| header.bad("windows", &problem))?;
        let clock = header
            .need("clock")?
            .parse::<TopicSet>()
            .map_err(|problem| header.bad("clock", &problem))?;
        let (table, dimensions) = table_of(name)
            .ok_or_else(|| header.bad("metric", &format!("there is no table metrics.{name}")))?;
        let mut metric = Self {
            name: name.to_owned(),
            title: header.need("metric")?.to_owned(),
            facts: match queries.stream {
                Some(_) => Some(header.need("facts")?.to_owned()),
                None => None,
            },
            windows,
            clock,
            look_back_days: header.days("look_back")?,
            look_ahead_days: header.days("look_ahead")?,
            stream: queries.stream.map(str::to_owned),
            shard: queries.shard.map(str::to_owned),
            public: queries.public.map(str::to_owned),
            reads_panes: BTreeSet::new(),
            reads_rows: BTreeSet::new(),
            reads_as_of: false,
            table,
            dimensions,
        };
        metric.find_reads()?;
        Ok(metric)
    }

    fn find_reads(&mut self) -> Result<()> {
        let Some(shard) = &self.shard else {
            self.reads_panes.insert(self.name.clone());
            return Ok(());
        };
        let unreadable = |source: DataFusionError| {
            wrong(format!("metric={}: shard.sql cannot be read", self.name)).caused_by(source)
        };
        let context = SessionContext::new();
        let state = context.state();
        let statement = state
            .sql_to_statement(shard, &datafusion::common::config::Dialect::Generic)
            .map_err(unreadable)?;
        let references = state.resolve_table_references(&statement);
        for reference in references.map_err(unreadable)? {
            let table = reference.table().to_owned();
            match reference.schema() {
                Some("panes") => drop(self.reads_panes.insert(table)),
                Some("rows") => drop(self.reads_rows.insert(table)),
                Some("asof") => self.reads_as_of = true,
                _ => {}
            }
        }
        Ok(())
    }
}
