//! Days that a file adds to the built-in calendar, or replaces in it.

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use arrow::error::ArrowError;
use pipeline::columns::Columns;
use schemas::calendar::{CalendarRow, DayKind};

use super::reference_data::LoadedTable;
use crate::error::Problem;

/// The rows of `ref_calendar`; a row of an unknown kind is a problem.
pub(super) fn read(
    loaded: &LoadedTable,
    problems: &mut Vec<Problem>,
) -> Result<Vec<CalendarRow>, ArrowError> {
    let columns = Columns::of(&loaded.batch);
    let (kinds, names) = (columns.text("day_kind")?, columns.text("name")?);
    // `Columns` has no reader of dates: this is their only column.
    let dates = loaded
        .batch
        .column_by_name("date")
        .and_then(|array| array.as_primitive_opt::<Date32Type>())
        .ok_or_else(|| ArrowError::SchemaError("column=date does not hold dates".to_owned()))?;
    let mut rows = Vec::new();
    for (row, days) in dates.iter().enumerate() {
        let mut report = |column, message| {
            problems.push(Problem {
                file: loaded.file.clone(),
                line: Some(loaded.lines[row]),
                column: Some(column),
                message,
            });
        };
        let Some(date) = days.and_then(Date32Type::to_naive_date_opt) else {
            report("date", "is beyond the calendar".to_owned());
            continue;
        };
        let kind = kinds.get(row).unwrap_or_default();
        let Some(day_kind) = DayKind::from_name(kind) else {
            let message = format!("`{kind}` is none of WORKING, DAY_OFF, MAKE_UP");
            report("day_kind", message);
            continue;
        };
        rows.push(CalendarRow {
            date,
            day_kind,
            name: names.get(row).unwrap_or_default().to_owned(),
        });
    }
    Ok(rows)
}
