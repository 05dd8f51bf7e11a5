//! `ops.data_quality`: in which columns sums have left their type, and in how many rows (K25).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::assemble::TableRows;
use super::machine::Machine;
use crate::error::Result;
use crate::round::Overflows;
use crate::time::Window;

/// What was last said of each table's windows; what has no overflow is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KnownOverflows(BTreeMap<String, BTreeMap<Window, Overflows>>);

impl KnownOverflows {
    /// Columns whose number of rows is another than before, each with that number.
    fn replace(&mut self, table: &str, window: Window, found: &Overflows) -> Overflows {
        let windows = self.0.get(table);
        let before = windows.and_then(|windows| windows.get(&window));
        let before = before.cloned().unwrap_or_default();
        let columns: BTreeSet<&String> = before.keys().chain(found.keys()).collect();
        let rows = |of: &Overflows, column: &String| of.get(column).copied().unwrap_or(0);
        let changed: Overflows = columns
            .into_iter()
            .filter(|column| rows(&before, column) != rows(found, column))
            .map(|column| (column.clone(), rows(found, column)))
            .collect();
        if changed.is_empty() {
            return changed;
        }
        let windows = self.0.entry(table.to_owned()).or_default();
        if found.is_empty() {
            windows.remove(&window);
        } else {
            windows.insert(window, found.clone());
        }
        if windows.is_empty() {
            self.0.remove(table);
        }
        changed
    }
}

#[derive(Serialize)]
struct DataQualityRow<'a> {
    table_name: &'a str,
    column_name: &'a str,
    window_kind: &'a str,
    window_start: i64,
    window_end: i64,
    rows_n: i64,
    epoch: i64,
}

impl Machine {
    /// Rows about a table's window, if other columns or numbers of rows are concerned than before; 0 rows: it is over.
    pub(super) fn note_overflows(
        &mut self,
        rows: &mut TableRows,
        table: &str,
        window: Window,
        found: &Overflows,
        epoch: i64,
    ) -> Result<()> {
        let zone = self.settings.zone;
        let known = &mut self.durable.state.overflows;
        let changed = known.replace(table, window, found);
        let changed = changed.iter().map(|(column_name, rows_n)| DataQualityRow {
            table_name: table,
            column_name,
            window_kind: window.kind.as_str(),
            window_start: window.starts_at(zone).as_micros(),
            window_end: window.ends_at(zone).as_micros(),
            rows_n: *rows_n,
            epoch,
        });
        self.add_plain(rows, "ops.data_quality", &changed.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Day, WindowKind};

    fn overflows<const N: usize>(columns: [(&str, i64); N]) -> Overflows {
        columns.map(|(name, rows)| (name.to_owned(), rows)).into()
    }

    #[test]
    fn only_what_changed_is_said_and_its_end_is_said_once() {
        let window = Window {
            kind: WindowKind::D1,
            first: Day(1),
            end: Day(2),
        };
        let mut known = KnownOverflows::default();
        for (found, changed) in [
            (overflows([]), overflows([])),
            (
                overflows([("qty", 2), ("fen", 1)]),
                overflows([("qty", 2), ("fen", 1)]),
            ),
            (overflows([("qty", 2), ("fen", 1)]), overflows([])),
            (overflows([("qty", 3)]), overflows([("qty", 3), ("fen", 0)])),
            (overflows([]), overflows([("qty", 0)])),
            (overflows([]), overflows([])),
        ] {
            assert_eq!(known.replace("metrics.t", window, &found), changed);
        }
        assert_eq!(known, KnownOverflows::default());
    }
}
