//! Every problem of a configuration, not only the first.

use std::fs;
use std::path::Path;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};

use super::Config;
use super::environment::Environment;
use super::load::{nearest, unsupported};
use super::message::{parse, what};

/// The configuration without the keys that cannot be used, and a message for each of them.
///
/// A wrong key is removed from the file, or a wrong variable from the environment, and all is read again, until the rest can be read.
/// What can be removed from neither ends the search, and the configuration is the default one.
pub(crate) fn problems(file: Option<&Path>) -> (Config, Vec<String>) {
    problems_in(file, Environment::of_process())
}

pub(super) fn problems_in(
    file: Option<&Path>,
    mut environment: Environment,
) -> (Config, Vec<String>) {
    let mut table = toml::Table::new();
    if let Some(file) = file {
        let read = fs::read_to_string(file).map_err(|error| error.to_string());
        let parsed = read.and_then(|text| parse(&text));
        match parsed {
            Ok(parsed) => table = parsed,
            Err(error) => return (Config::default(), vec![in_file(Some(file), &error)]),
        }
    }
    let mut problems = Vec::new();
    loop {
        let layers = Figment::new().merge(Toml::string(&table.to_string()));
        let errors = match environment.clone().over(layers).extract::<Config>() {
            Ok(config) => {
                let unsupported = unsupported(&config).into_iter();
                problems.extend(unsupported.map(
                    |(key, message)| match environment.variable_of(&key) {
                        Some(variable) => format!("{variable}: {message}"),
                        None => in_file(file, &message),
                    },
                ));
                return (config, problems);
            }
            Err(errors) => errors,
        };
        let mut removed = false;
        for error in errors {
            let mut path = error.path.clone();
            let message = match &error.kind {
                Kind::UnknownField(name, known) => {
                    if path.last() != Some(name) {
                        path.push(name.clone());
                    }
                    format!("unknown key{}", nearest(name, known))
                }
                other => what(other),
            };
            let message = format!("{}: {message}", place(&path));
            let of_variable = environment.remove(&error);
            let of_file = !of_variable && remove(&mut table, &path);
            let origin = error.metadata.as_ref().filter(|_| !of_file);
            problems.push(match origin {
                Some(origin) => format!("{}: {message}", origin.name),
                None => in_file(file, &message),
            });
            removed |= of_variable || of_file;
        }
        if !removed {
            return (Config::default(), problems);
        }
    }
}

fn in_file(file: Option<&Path>, message: &str) -> String {
    match file {
        Some(file) => format!("{}: {message}", file.display()),
        None => message.to_owned(),
    }
}

/// `[time.orders] idle_after`.
fn place(path: &[String]) -> String {
    match path.split_last() {
        Some((key, [])) => key.clone(),
        Some((key, section)) => format!("[{}] {key}", section.join(".")),
        None => "configuration".to_owned(),
    }
}

/// Removes a key; whether there was one.
fn remove(table: &mut toml::Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(key).is_some(),
        [section, rest @ ..] => match table.get_mut(section) {
            Some(toml::Value::Table(inner)) => remove(inner, rest),
            // an error inside a list: the whole key is removed
            Some(_) => table.remove(section).is_some(),
            None => false,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(text: &str, environment: &[(&str, &str)]) -> (Config, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vitrine.toml");
        fs::write(&file, text).unwrap();
        let environment = Environment::of(environment.iter().copied());
        let (config, problems) = problems_in(Some(&file), environment);
        let prefix = format!("{}: ", file.display());
        let short = |problem: String| problem.replace(&prefix, "");
        (config, problems.into_iter().map(short).collect())
    }

    #[test]
    fn every_problem_is_listed_and_correct_keys_are_read() {
        let (config, problems) = of(
            "[source]\nbrokrs = \"a:1\"\ngroup = \"g\"\n[epoch]\ninterval = \"soon\"\nseal_every = 7\n[nonsense]\na = 1\n\
             [http]\nlisten = \"0.0.0.0:1\"\n",
            &[],
        );
        assert_eq!(config.source.group, "g");
        for begin in [
            "[source] brokrs: unknown key; nearest known key: brokers",
            "[epoch] interval: ",
            "[epoch] seal_every: ",
            "nonsense: unknown key",
            "[http] listen = ",
        ] {
            let found = problems.iter().filter(|problem| problem.starts_with(begin));
            assert_eq!(found.count(), 1, "{begin}: {problems:#?}");
        }
        assert_eq!(problems.len(), 5, "{problems:#?}");
    }

    #[test]
    fn a_variable_is_named() {
        let (_, problems) = of("", &[("VITRINE__EPOCH__INTERVAL", "soon")]);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].contains("VITRINE__EPOCH__INTERVAL"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_file_is_not_blamed_for_a_variable_and_the_rest_is_read() {
        let (config, problems) = of(
            "[epoch]\ninterval = \"10s\"\nseal_every = \"soon\"\n[topics]\norders = \"o\"\n[source]\ngroup = \"g\"\n\
             [time.orders]\nidle_after = \"soon\"\n",
            &[
                ("VITRINE__TIME__ORDERS__ALLOWED_LATENESS", "3d"),
                ("VITRINE__EPOCH__INTERVAL", "soon"),
                ("VITRINE__TOPICS__ORDERS", "a b"),
                ("VITRINE__TOPICS__CREATE_TOPICS", "1"),
                ("VITRINE__NONSENSE__KEY", "1"),
                ("VITRINE__SOURCE__BROKERS", "b:1"),
            ],
        );
        assert_eq!(
            (&*config.source.group, &*config.source.brokers),
            ("g", "b:1")
        );
        for begin in [
            "environment variable VITRINE__EPOCH__INTERVAL: [epoch] interval: ",
            "environment variable VITRINE__TOPICS__ORDERS: [topics] orders = ",
            "environment variable VITRINE__TOPICS__CREATE_TOPICS: [topics] create_topics: ",
            "environment variable VITRINE__NONSENSE__KEY: ",
            "[epoch] seal_every: ",
            "[time.orders] idle_after: ",
        ] {
            let found = problems.iter().filter(|problem| problem.starts_with(begin));
            assert_eq!(found.count(), 1, "{begin}: {problems:#?}");
        }
        assert_eq!(problems.len(), 6, "{problems:#?}");
        let lateness = config.time.orders.allowed_lateness;
        assert_eq!(lateness, std::time::Duration::from_secs(3 * 86_400));
    }

    #[test]
    fn a_missing_file_and_one_that_is_not_toml_are_one_problem() {
        assert_eq!(of("[source", &[]).1.len(), 1);
        let missing = Path::new("/nowhere/vitrine.toml");
        let (_, problems) = problems_in(Some(missing), Environment::default());
        assert!(
            problems[0].starts_with("/nowhere/vitrine.toml: "),
            "{problems:?}"
        );
        assert!(problems_in(None, Environment::default()).1.is_empty());
    }
}
