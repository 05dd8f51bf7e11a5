//! `VITRINE__SECTION__KEY`: the last layer.
//!
//! The variables are passed in, so that a test can choose them. Each is a layer of its own, so that an error names it.

use std::ffi::OsString;

use figment::error::Kind;
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::Config;

const PREFIX: &str = "VITRINE__";

/// The variables that set keys. Their values may be secrets, so nothing prints them.
#[derive(Clone, Default)]
pub(super) struct Environment(Vec<Variable>);

#[derive(Clone)]
struct Variable {
    name: String,
    /// `section.key`
    path: String,
    /// `None`: not UTF-8.
    value: Option<String>,
}

impl Environment {
    /// The variables of this process.
    pub(super) fn of_process() -> Self {
        Self::of(std::env::vars_os())
    }

    pub(super) fn of<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut variables: Vec<Variable> = variables
            .into_iter()
            .filter_map(|(name, value)| {
                // A name that is not UTF-8 is reported as an unknown key.
                let name = name.into().to_string_lossy().into_owned();
                let path = name
                    .strip_prefix(PREFIX)?
                    .to_ascii_lowercase()
                    .replace("__", ".");
                let value = value.into().into_string().ok();
                Some(Variable { name, path, value })
            })
            .collect();
        // The order in which a process sees its variables is arbitrary and must not matter.
        variables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self(variables)
    }

    /// The variable that sets a key, written as messages write it: `[time.orders] idle_after`.
    pub(super) fn variable_of(&self, key: &str) -> Option<String> {
        let path = key.trim_start_matches('[').replacen("] ", ".", 1);
        let sets = |variable: &&Variable| {
            let rest = path.strip_prefix(&variable.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ']))
        };
        self.0.iter().find(sets).map(Variable::origin)
    }

    /// Removes the variable that an error comes from; whether there was one.
    pub(super) fn remove(&mut self, error: &Error) -> bool {
        let Some(origin) = &error.metadata else {
            return false;
        };
        let before = self.0.len();
        self.0.retain(|variable| variable.origin() != origin.name);
        self.0.len() < before
    }

    /// Adds the variables above `layers`.
    pub(super) fn over(self, layers: Figment) -> Figment {
        self.0.into_iter().fold(layers, Figment::merge)
    }
}

impl Variable {
    /// Its name in messages.
    fn origin(&self) -> String {
        format!("environment variable {}", self.name)
    }

    /// As in a file, `10` is a number and `[a, b]` a list; anything else is text. So is what looks like a number, a flag or a list where
    /// the key takes a text: nobody quotes the value of a variable (`0750`, a group called `2026`).
    fn value_of(&self, text: &str) -> Value {
        let parsed = match text.parse::<Value>() {
            Ok(parsed) => parsed,
            Err(never) => match never {},
        };
        let text = Value::from(text);
        if self.has_wrong_type(&parsed) && !self.has_wrong_type(&text) {
            text
        } else {
            parsed
        }
    }

    /// Whether its key takes values of other types only.
    fn has_wrong_type(&self, value: &Value) -> bool {
        let alone = Figment::from((self.path.as_str(), value.clone()));
        let read = alone.extract::<Config>();
        read.is_err_and(|error| matches!(error.kind, Kind::InvalidType(..)))
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let Some(value) = &self.value else {
            return Err(Error::from(format!("{} is not UTF-8", self.name)));
        };
        let Value::Dict(_, keys) = nest(&self.path, self.value_of(value)) else {
            return Err(Error::from(format!("{} names no key", self.name)));
        };
        Ok(Profile::Default.collect(keys))
    }
}
