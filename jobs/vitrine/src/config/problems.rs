//! All that is wrong with a configuration, not only the first.

use std::fs;
use std::path::Path;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};

use super::Config;
use super::environment::Environment;
use super::load::{nearest, not_yet};

/// The configuration without the keys that cannot be used, and a sentence for each of them.
///
/// A key is taken out of the file and reading begins again, until what is left can be read; what cannot be taken out (a
/// variable of the environment) ends it, with the defaults.
pub fn problems(file: Option<&Path>) -> (Config, Vec<String>) {
    problems_in(file, Environment::of_process())
}

pub(super) fn problems_in(file: Option<&Path>, environment: Environment) -> (Config, Vec<String>) {
    let mut table = toml::Table::new();
    if let Some(file) = file {
        let read = fs::read_to_string(file).map_err(|error| error.to_string());
        let parsed = read.and_then(|text| text.parse().map_err(|error| format!("{error}")));
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
                let unwired = not_yet(&config).into_iter();
                problems.extend(unwired.map(|error| in_file(file, &error.to_string())));
                return (config, problems);
            }
            Err(errors) => errors,
        };
        let mut taken_out = false;
        for error in errors {
            let mut path = error.path.clone();
            let what = match &error.kind {
                Kind::UnknownField(name, known) => {
                    if path.last() != Some(name) {
                        path.push(name.clone());
                    }
                    format!("unknown key{}", nearest(name, known))
                }
                other => other.to_string(),
            };
            let in_table = take_out(&mut table, &path);
            let origin = error.metadata.as_ref().filter(|_| !in_table);
            let sentence = format!("{}: {what}", place(&path));
            problems.push(match origin {
                Some(origin) => format!("{}: {sentence}", origin.name),
                None => in_file(file, &sentence),
            });
            taken_out |= in_table;
        }
        if !taken_out {
            return (Config::default(), problems);
        }
    }
}

fn in_file(file: Option<&Path>, sentence: &str) -> String {
    match file {
        Some(file) => format!("{}: {sentence}", file.display()),
        None => sentence.to_owned(),
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

/// Whether there was such a key.
fn take_out(table: &mut toml::Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(key).is_some(),
        [section, rest @ ..] => match table.get_mut(section) {
            Some(toml::Value::Table(inner)) => take_out(inner, rest),
            // an error inside a list: the whole key goes
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
        let pairs = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (config, problems) = problems_in(Some(&file), Environment::of(pairs));
        let prefix = format!("{}: ", file.display());
        let short = |problem: String| problem.replace(&prefix, "");
        (config, problems.into_iter().map(short).collect())
    }

    #[test]
    fn all_are_listed_and_what_is_right_counts() {
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
    fn a_file_that_is_no_toml_or_not_there_is_one_problem() {
        assert_eq!(of("[source", &[]).1.len(), 1);
        let missing = Path::new("/nowhere/vitrine.toml");
        let (_, problems) = problems_in(Some(missing), Environment::of([]));
        assert!(
            problems[0].starts_with("/nowhere/vitrine.toml: "),
            "{problems:?}"
        );
        assert!(problems_in(None, Environment::of([])).1.is_empty());
    }
}
