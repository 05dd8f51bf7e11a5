//! The commands of the prompt that are no SQL: a backslash and a letter, as in psql.

use pipeline::query::output::Format;
use pipeline::query::{DEFAULT_SCHEMA, Session};

/// Commands and what they do, for `\?` and completion.
pub const COMMANDS: [(&str, &str); 6] = [
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
        "take up the newest epoch and say which it is (each query does so by itself)",
    ),
    ("\\f", "format of the rows: \\f table, csv, json or ndjson"),
    ("\\q", "leave (also Ctrl-D)"),
];

/// What a line that begins with a backslash wants.
#[derive(Debug, PartialEq, Eq)]
pub enum MetaCommand {
    /// Say this.
    Say(String),
    /// Ask this.
    Ask(String),
    Epoch,
    Format(Format),
    Quit,
}

/// Reads a command. `session` is the one asked last: `\d` looks there for what there is.
pub fn read(line: &str, session: &Session) -> Result<MetaCommand, String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line
        .split_once(char::is_whitespace)
        .map_or((line, ""), |(name, rest)| (name, rest.trim()));
    Ok(match (name, argument) {
        ("\\?" | "\\h" | "\\help", "") => MetaCommand::Say(help()),
        ("\\q" | "\\quit", "") => MetaCommand::Quit,
        ("\\e", "") => MetaCommand::Epoch,
        ("\\d", "") => MetaCommand::Ask(tables()),
        ("\\d", table) => MetaCommand::Ask(columns(table, session)?),
        ("\\df", part) => MetaCommand::Ask(functions(part)),
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
    let mut text = "A query ends with `;` and may have several lines. Tab completes, Ctrl-R searches the history, Ctrl-C stops.\n".to_owned();
    for (name, meaning) in COMMANDS {
        text.push_str(&format!("  {name:<4}{meaning}\n"));
    }
    text
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
        text(schema),
        text(name)
    ))
}

fn functions(part: &str) -> String {
    format!(
        "SELECT DISTINCT syntax_example AS function, description FROM information_schema.routines \
         WHERE strpos(routine_name, {}) > 0 ORDER BY 1",
        text(part)
    )
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::tests::session;
    use super::*;

    #[tokio::test]
    async fn commands() {
        let session = session().await;
        assert_eq!(read("\\q", &session), Ok(MetaCommand::Quit));
        assert_eq!(read(" \\e ; ", &session), Ok(MetaCommand::Epoch));
        assert_eq!(
            read("\\f csv", &session),
            Ok(MetaCommand::Format(Format::Csv))
        );
        assert!(
            read("\\f parquet", &session)
                .unwrap_err()
                .contains("--output FILE")
        );
        assert!(
            read("\\f xml", &session)
                .unwrap_err()
                .contains("one of table, csv")
        );
        assert!(read("\\x", &session).unwrap_err().contains("\\? lists all"));
        let Ok(MetaCommand::Say(help)) = read("\\?", &session) else {
            panic!("no help")
        };
        assert!(
            COMMANDS.iter().all(|(name, _)| help.contains(name)),
            "{help}"
        );
    }

    #[tokio::test]
    async fn what_a_command_asks_can_be_answered() {
        let session = session().await;
        for (line, rows) in [
            ("\\d", 2),
            ("\\d demand_orders", 2),
            ("\\d facts.order_lines", 2),
            ("\\df half_up", 2),
        ] {
            let Ok(MetaCommand::Ask(query)) = read(line, &session) else {
                panic!("{line}")
            };
            let batches = session
                .query(&query)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
            let answered: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert!(answered >= rows, "{line}: {answered}");
        }
        assert_eq!(
            read("\\d demand_order", &session),
            Err("no table `metrics.demand_order`; nearest: `metrics.demand_orders`".to_owned())
        );
    }
}
