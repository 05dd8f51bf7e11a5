//! Rows to bytes: the formats of `vitrine sql` and, later, of the HTTP door.
//!
//! | format | rows | values |
//! |---|---|---|
//! | `table` | all at the end | for people; what would steer a terminal is shown as an escape |
//! | `csv` | as they come | header line; lists separated by `\|`, nested ones as JSON; NULL is empty |
//! | `json` | as they come | one array of objects, every column present |
//! | `ndjson` | as they come | one object a line |
//! | `arrow` | as they come | IPC file (Feather 2) |
//! | `parquet` | by row group | zstd |
//!
//! In all formats but `table` and `csv` columns have different names: the second `sku_id` is `sku_id_2`; in all formats so have the
//! fields of a struct. JSON knows no NaN and no infinity: they are null there, and counted.
//!
//! In text, instants are RFC 3339 in UTC, dates `YYYY-MM-DD`, booleans `true`/`false`, bytes hexadecimal. JSON holds
//! decimals as strings: readers would make doubles of them and lose digits; BIGINT stays a number.

mod binary;
mod encoder;
mod escape;
mod format;
mod not_finite;
mod rename;
mod text;
mod write;

pub use escape::escaped;
pub use format::Format;
pub use write::{Written, is_broken_pipe, write};
