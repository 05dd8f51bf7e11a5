//! Metric texts against hand-computed cases, run by DataFusion as the engine runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod demand_orders;
mod margin;
mod service;
mod stock;

use std::collections::HashSet;

use super::texts;

/// Keys that a header may have (design 3.3).
const HEADER_KEYS: &[&str] = &[
    "metric",
    "facts",
    "windows",
    "clock",
    "look_back",
    "look_ahead",
    "scope",
];

#[test]
fn every_metric_begins_with_a_header_that_names_it() {
    for metric in texts() {
        let first = [metric.stream, metric.shard, metric.public]
            .into_iter()
            .flatten()
            .next()
            .unwrap();
        let header: Vec<(&str, &str)> = first
            .lines()
            .map_while(|line| line.strip_prefix("-- ")?.split_once(": "))
            .collect();
        let keys: HashSet<&str> = header.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys.len(), header.len(), "{}: a key twice", metric.name);
        assert!(
            keys.iter().all(|key| HEADER_KEYS.contains(key)),
            "{}",
            metric.name
        );
        assert!(
            keys.contains("windows") && keys.contains("clock"),
            "{}",
            metric.name
        );
        assert_eq!(
            keys.contains("facts"),
            metric.stream.is_some(),
            "{}",
            metric.name
        );
        let (_, name) = header[0].1.split_once(' ').unwrap();
        assert_eq!((header[0].0, name), ("metric", metric.name));
    }
}

#[test]
fn a_metric_is_read_only_by_those_that_stand_after_it() {
    let mut known = HashSet::new();
    for metric in texts() {
        known.insert(metric.name);
        for text in [metric.shard, metric.public].into_iter().flatten() {
            for schema in ["panes.", "rows.", "parts."] {
                for (at, _) in text.match_indices(schema) {
                    let name = text[at + schema.len()..]
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next()
                        .unwrap();
                    assert!(known.contains(name), "{} reads {schema}{name}", metric.name);
                }
            }
        }
    }
}
