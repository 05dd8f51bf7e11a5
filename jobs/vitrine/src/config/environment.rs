//! `VITRINE__SECTION__KEY`: the last layer.
//!
//! The variables are passed in, so that a test can choose them. Each is a layer of its own, so that an error names it.

use std::ffi::OsString;

use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

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

    /// Adds the variables above `layers`.
    pub(super) fn over(self, layers: Figment) -> Figment {
        self.0.into_iter().fold(layers, Figment::merge)
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let Some(value) = &self.value else {
            return Err(Error::from(format!("{} is not UTF-8", self.name)));
        };
        // As in a file, `10` is a number and `[a, b]` a list; anything else is text.
        let value = match value.parse::<Value>() {
            Ok(value) => value,
            Err(never) => match never {},
        };
        let Value::Dict(_, keys) = nest(&self.path, value) else {
            return Err(Error::from(format!("{} names no key", self.name)));
        };
        Ok(Profile::Default.collect(keys))
    }
}
