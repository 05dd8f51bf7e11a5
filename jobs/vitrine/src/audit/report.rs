//! The result of an audit, as lines.

use pipeline::query::audit::TableAudit;

use super::conservation::{self, Conservation};

/// The result of an audit.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditReport {
    pub(super) epoch: i64,
    /// By topic and partition.
    pub(super) conservation: Vec<Conservation>,
    pub(super) tables: Vec<TableAudit>,
    /// Windows that were left out because the epoch had not revised them yet.
    pub(super) unrevised: usize,
}

impl AuditReport {
    /// Partitions that do not add up, and rows that differ.
    pub(crate) fn differences(&self) -> u64 {
        let leaks = self.conservation.iter().filter(|one| !one.holds()).count() as u64;
        leaks + self.tables.iter().map(|table| table.differing).sum::<u64>()
    }

    /// One line per shard, per partition that does not add up, and per table.
    pub(crate) fn lines(&self) -> Vec<String> {
        let outcome = |holds: bool| if holds { "ok" } else { "DIFFERS" };
        let mut lines = Vec::new();
        for shard in conservation::by_shard(&self.conservation) {
            lines.push(format!(
                "shard {}: {shard}: {}",
                shard.shard,
                outcome(shard.holds())
            ));
        }
        for one in self.conservation.iter().filter(|one| !one.holds()) {
            lines.push(format!("  {}/{}: {one}: DIFFERS", one.topic, one.partition));
        }
        for table in &self.tables {
            let mut line = format!(
                "{}: {} rows compared, {} differing",
                table.table, table.compared, table.differing
            );
            if let Some(first) = &table.first {
                line.push_str(&format!("; first: {first}"));
            }
            lines.push(line);
        }
        if self.unrevised > 0 {
            lines.push(format!(
                "left out: {} windows that epoch {} had not revised yet ([epoch] revise_every)",
                self.unrevised, self.epoch
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> AuditReport {
        AuditReport {
            epoch: 7,
            conservation: vec![Conservation {
                topic: "orders".to_owned(),
                read_n: 3,
                accepted_n: 2,
                duplicate_n: 1,
                stored_n: 2,
                ..Conservation::default()
            }],
            tables: vec![TableAudit {
                table: "metrics.sell_through".to_owned(),
                compared: 10,
                ..TableAudit::default()
            }],
            unrevised: 0,
        }
    }

    #[test]
    fn there_is_one_line_per_shard_and_per_table() {
        assert_eq!(
            report().lines(),
            [
                "shard 0: read 3 = accepted 2 + duplicate 1 + dead letters 0 + too late 0; events stored 2: ok",
                "metrics.sell_through: 10 rows compared, 0 differing",
            ]
        );
        assert_eq!(report().differences(), 0);
    }

    #[test]
    fn leaks_and_differing_rows_are_differences() {
        let mut report = report();
        report.conservation[0].stored_n = 1;
        report.tables[0].differing = 2;
        report.tables[0].first = Some("D1 2026-01-05 sku_id=A is missing".to_owned());
        report.unrevised = 4;
        assert_eq!(report.differences(), 3);
        let lines = report.lines();
        assert!(
            lines[0].ends_with("DIFFERS") && lines[1].starts_with("  orders/0: "),
            "{lines:?}"
        );
        assert!(lines[2].ends_with("first: D1 2026-01-05 sku_id=A is missing"));
        assert!(lines[3].starts_with("left out: 4 windows that epoch 7"));
    }
}
