//! Reads the layers; the first error ends it.

use std::fs;
use std::path::Path;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};

use super::Config;
use super::environment::Environment;
use super::impossible::impossible;
use super::message::{parse, shown_url, what};
use super::sections::HttpConfig;
use crate::exit::CommandError;

/// Defaults, then `file`, then the environment. Relative paths are relative to the working directory.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, CommandError> {
    layered(file, Environment::of_process())
}

pub(super) fn layered(
    file: Option<&Path>,
    environment: Environment,
) -> Result<Config, CommandError> {
    let mut layers = Figment::new();
    if let Some(file) = file {
        if !file.is_file() {
            return Err(CommandError::Usage(format!(
                "there is no configuration file={}; `vitrine demo` writes one, deploy/vitrine.example.toml shows all keys",
                file.display()
            )));
        }
        let in_file = |why: String| CommandError::Usage(format!("{}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| in_file(error.to_string()))?;
        parse(&text).map_err(in_file)?;
        layers = layers.merge(Toml::file_exact(file));
    }
    let config: Config = environment.over(layers).extract().map_err(|errors| {
        let messages: Vec<String> = errors.into_iter().map(message).collect();
        CommandError::Usage(messages.join("; "))
    })?;
    match unsupported(&config).into_iter().next() {
        Some((_, message)) => Err(CommandError::Usage(message)),
        None => Ok(config),
    }
}

/// A message with the key, its layer and its place.
fn message(error: figment::Error) -> String {
    let place = match (&error.metadata, error.path.is_empty()) {
        (Some(metadata), false) => format!("{} in {}", error.path.join("."), metadata.name),
        (Some(metadata), true) => metadata.name.to_string(),
        (None, _) => error.path.join("."),
    };
    let source = error
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.source.as_ref())
        .map(|source| format!(" ({source})"))
        .unwrap_or_default();
    match &error.kind {
        Kind::UnknownField(name, known) => {
            let nearest = nearest(name, known);
            format!("unknown key {name} at {place}{source}{nearest}")
        }
        other => format!("{place}{source}: {}", what(other)),
    }
}

/// `; nearest known key: brokers`.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
        .map(|nearest| format!("; nearest known key: {nearest}"))
        .unwrap_or_default()
}

/// Names and values that cannot be, and keys whose feature does not exist yet: those must have their default value, so that nobody
/// relies on them. Each key with its message.
pub(super) fn unsupported(config: &Config) -> Vec<(String, String)> {
    let mut messages = Vec::new();
    let mut refuse = |key: &str, value: &str, why: &str| {
        messages.push((key.to_owned(), format!("{key} = {value:?}: {why}")));
    };
    for (key, name, why) in config.topics.wrong_names() {
        refuse(&key, name, &why);
    }
    for (key, value, why) in impossible(config) {
        refuse(&key, &value, &why);
    }
    if !config.storage.url.starts_with("file://") {
        refuse(
            "[storage] url",
            &shown_url(&config.storage.url),
            "only a local folder (file:///…) is supported",
        );
    }
    if config.http.listen != HttpConfig::default().listen {
        refuse(
            "[http] listen",
            &config.http.listen,
            "there is no HTTP port yet; remove the key and use `vitrine status`",
        );
    }
    messages
}
