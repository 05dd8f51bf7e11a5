//! The commands of the prompt that are not SQL: a backslash and a letter, as in psql.

use pipeline::query::output::Format;
use pipeline::query::{DEFAULT_SCHEMA, Session};

/// Commands and what they do, for `\?` and completion.
pub(super) const COMMANDS: [(&str, &str); 6] = [
    ("\\?", "this list"),
    (
        "\\d",
        "tables and views with their comments; \\d TABLE: its columns",
    ),
    (
        "\\df",
        "functions; \\df NAME: those whose name contains NAME",
    ),
    (
        "\\e",
        "open the newest epoch and show which it is (every query opens it anyway)",
    ),
    ("\\f", "format of the rows: \\f table, csv, json or ndjson"),
    ("\\q", "leave (also Ctrl-D)"),
];

/// A line that begins with a backslash.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MetaCommand {
    /// Show this text.
    Show(String),
    /// Run this query.
    Query(String),
    Epoch,
    Format(Format),
    Quit,
}

/// Parses a command. `session` is the current one, in which `\d` looks up tables.
pub(super) fn parse(line: &str, session: &Session) -> Result<MetaCommand, String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line
        .split_once(char::is_whitespace)
        .map_or((line, ""), |(name, rest)| (name, rest.trim()));
    Ok(match (name, argument) {
        ("\\?" | "\\h" | "\\help", "") => MetaCommand::Show(help()),
        ("\\q" | "\\quit", "") => MetaCommand::Quit,
        ("\\e", "") => MetaCommand::Epoch,
        ("\\d", "") => MetaCommand::Query(tables()),
        ("\\d", table) => MetaCommand::Query(columns(table, session)?),
        ("\\df", part) => MetaCommand::Query(functions(part)),
        ("\\f", format) => match format.parse::<Format>()? {
            binary if binary.is_binary() => {
                return Err(format!(
                    "format={binary} is binary; use `vitrine sql --output FILE \"QUERY\"`"
                ));
            }
            format => MetaCommand::Format(format),
        },
        _ => return Err(format!("unknown command `{line}`; \\? lists all")),
    })
}

fn help() -> String {
    let mut help = "A query ends with `;` and may have several lines. Tab completes, Ctrl-R searches the history, Ctrl-C stops.\n".to_owned();
    for (name, meaning) in COMMANDS {
        help.push_str(&format!("  {name:<4}{meaning}\n"));
    }
    help
}

fn tables() -> String {
    "SELECT table_schema || '.' || table_name AS name, comment FROM information_schema.tables \
     WHERE table_schema <> 'information_schema' ORDER BY 1"
        .to_owned()
}

fn columns(table: &str, session: &Session) -> Result<String, String> {
    let (schema, name) = table.split_once('.').unwrap_or((DEFAULT_SCHEMA, table));
    let names = session.names();
    if names.table(schema, name).is_none() {
        return Err(match names.nearest_table(schema, name) {
            Some(nearest) => format!("no table `{schema}.{name}`; nearest: `{nearest}`"),
            None => format!("no table `{schema}.{name}`; \\d lists all"),
        });
    }
    Ok(format!(
        "SELECT column_name AS \"column\", data_type AS \"type\", comment FROM information_schema.columns \
         WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        literal(schema),
        literal(name)
    ))
}

fn functions(part: &str) -> String {
    format!(
        "SELECT DISTINCT syntax_example AS function, description FROM information_schema.routines \
         WHERE strpos(routine_name, {}) > 0 ORDER BY 1",
        literal(part)
    )
}

/// A string literal of SQL.
fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::tests::session;
    use super::*;

    #[tokio::test]
    async fn commands_are_parsed() {
        let session = session().await;
        assert_eq!(parse("\\q", &session), Ok(MetaCommand::Quit));
        assert_eq!(parse(" \\e ; ", &session), Ok(MetaCommand::Epoch));
        assert_eq!(
            parse("\\f csv", &session),
            Ok(MetaCommand::Format(Format::Csv))
        );
        assert!(
            parse("\\f parquet", &session)
                .unwrap_err()
                .contains("--output FILE")
        );
        assert!(
            parse("\\f xml", &session)
                .unwrap_err()
                .contains("one of table, csv")
        );
        assert!(
            parse("\\x", &session)
                .unwrap_err()
                .contains("\\? lists all")
        );
        let Ok(MetaCommand::Show(help)) = parse("\\?", &session) else {
            panic!("no help")
        };
        assert!(
            COMMANDS.iter().all(|(name, _)| help.contains(name)),
            "{help}"
        );
    }

    #[tokio::test]
    async fn the_queries_of_commands_have_rows() {
        let session = session().await;
        for (line, rows) in [
            ("\\d", 2),
            ("\\d demand_orders", 2),
            ("\\d facts.order_lines", 2),
            ("\\df half_up", 2),
        ] {
            let Ok(MetaCommand::Query(query)) = parse(line, &session) else {
                panic!("{line}")
            };
            let batches = session
                .query(&query)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
            let found: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert!(found >= rows, "{line}: {found}");
        }
        assert_eq!(
            parse("\\d demand_order", &session),
            Err("no table `metrics.demand_order`; nearest: `metrics.demand_orders`".to_owned())
        );
    }
}
