//! `VITRINE__SECTION__KEY`: the last layer.
//!
//! Handed in as pairs, not read from the process, so that a test can say what the environment holds; one layer a variable,
//! so that an error names it.

use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

const PREFIX: &str = "VITRINE__";

/// The variables of one environment that set keys.
#[derive(Clone, Debug)]
pub(super) struct Environment(Vec<Variable>);

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    /// `section.key`
    path: String,
    value: String,
}

impl Environment {
    /// Those of this process; a name or value that is no UTF-8 cannot be a key's.
    pub fn of_process() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut variables: Vec<Variable> = variables
            .into_iter()
            .filter_map(|(name, value)| {
                let path = name
                    .strip_prefix(PREFIX)?
                    .to_ascii_lowercase()
                    .replace("__", ".");
                Some(Variable { name, path, value })
            })
            .collect();
        // the order in which a process sees its variables means nothing, and should change nothing
        variables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self(variables)
    }

    /// Puts them over the layers so far.
    pub fn over(self, layers: Figment) -> Figment {
        self.0.into_iter().fold(layers, Figment::merge)
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        // `10` is a number and `[a, b]` a list, as in a file; what is neither is text
        let value = match self.value.parse::<Value>() {
            Ok(value) => value,
            Err(never) => match never {},
        };
        let Value::Dict(_, keys) = nest(&self.path, value) else {
            return Err(Error::from(format!("{} names no key", self.name)));
        };
        Ok(Profile::Default.collect(keys))
    }
}
