//! Reads the layers and says what is wrong with them.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};

use super::Config;
use super::environment::Environment;

/// Why a configuration cannot be used; each names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no configuration file={}; `vitrine demo` writes one, deploy/vitrine.example.toml shows all keys", .0.display())]
    Missing(PathBuf),
    #[error("{0}")]
    Wrong(String),
    #[error("[{section}] {key} = {value:?}: {sentence}")]
    NotYet {
        section: &'static str,
        key: &'static str,
        value: String,
        sentence: &'static str,
    },
}

/// Defaults, then `file`, then the environment. Relative paths are meant from where the program runs.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    layered(file, Environment::of_process())
}

pub(super) fn layered(
    file: Option<&Path>,
    environment: Environment,
) -> Result<Config, ConfigError> {
    let mut layers = Figment::new();
    if let Some(file) = file {
        if !file.is_file() {
            return Err(ConfigError::Missing(file.to_owned()));
        }
        layers = layers.merge(Toml::file_exact(file));
    }
    let config: Config = environment.over(layers).extract().map_err(|errors| {
        let lines: Vec<String> = errors.into_iter().map(sentence).collect();
        ConfigError::Wrong(lines.join("; "))
    })?;
    match not_yet(&config).into_iter().next() {
        Some(error) => Err(error),
        None => Ok(config),
    }
}

fn sentence(error: figment::Error) -> String {
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
        other => format!("{place}{source}: {other}"),
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

/// What is understood but not wired yet must stay at its default, so that nobody believes that it works.
pub(super) fn not_yet(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut refuse = |section, key, value: &str, sentence| {
        errors.push(ConfigError::NotYet {
            section,
            key,
            value: value.to_owned(),
            sentence,
        });
    };
    if !config.storage.url.starts_with("file://") {
        refuse(
            "storage",
            "url",
            &config.storage.url,
            "only file:///… is supported so far; object storage comes with several processes",
        );
    }
    if config.http.listen != super::HttpConfig::default().listen {
        refuse(
            "http",
            "listen",
            &config.http.listen,
            "the HTTP port is not opened yet; leave the key out and use `vitrine status`",
        );
    }
    errors
}
