//! Events drawn from the published JSON Schemas: a field that they gain is tried from that day on.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use crate::events::TOPICS;

/// Noon of 2026-01-05 in Shanghai, when all events are recorded.
pub const NOON_MS: i64 = 1_767_585_600_000;

/// Distinct customers, members of staff and units.
const KEYS: usize = 40;

/// An event type as its JSON Schema describes it.
pub struct EventSchema {
    pub topic: &'static str,
    pub name: String,
    pub schema: Value,
}

impl EventSchema {
    /// A valid event with its required properties, and each other with the probability `others`; `number` makes its ids.
    pub fn event(&self, others: f64, number: usize, random: &mut ChaCha8Rng) -> Result<Value> {
        object(&self.schema, others, number, random).with_context(|| format!("event={}", self.name))
    }
}

/// Every event type, in the order of topics and names.
pub fn event_schemas() -> Result<Vec<EventSchema>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json");
    let mut schemas = Vec::new();
    for topic in TOPICS {
        let files = fs::read_dir(folder.join(topic.trim_end_matches(".v1")))?;
        let mut paths = files
            .map(|file| Ok(file?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let schema: Value = serde_json::from_slice(&fs::read(path)?)?;
            let name = schema["title"].as_str().context("a schema has no title")?;
            schemas.push(EventSchema {
                topic,
                name: name.to_owned(),
                schema,
            });
        }
    }
    Ok(schemas)
}

/// A valid value of a property.
fn valid(name: &str, schema: &Value, number: usize, random: &mut ChaCha8Rng) -> Result<Value> {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str(),
        kind => kind.as_str(),
    };
    if !schema["const"].is_null() {
        return Ok(schema["const"].clone());
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let names = options.first().and_then(|first| first["enum"].as_array());
        let chosen = names.and_then(|names| names.choose(random));
        return chosen
            .cloned()
            .with_context(|| format!("{name} has no values"));
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    Ok(match kind.unwrap_or_default() {
        "boolean" => json!(random.random_bool(0.5)),
        // An instant.
        "integer" if schema["minimum"].as_i64() == Some(946_684_800_000) => json!(NOON_MS - 60_000),
        "integer" => json!(random.random_range(1..=5)),
        "array" if schema["items"]["properties"].is_object() => {
            json!([object(&schema["items"], 1.0, number, random)?])
        }
        "array" => json!([format!("I-{number}")]),
        "string" if schema["format"] == "date" => json!("2026-01-05"),
        "string" if pattern.contains("-W") => json!("2026-W02"),
        "string" if pattern.starts_with("^\\d") => json!("2026-01"),
        "string" if ["customer_id", "staff_id", "unit_id"].contains(&name) => {
            json!(format!("{name}-{}", number % KEYS))
        }
        "string" => json!(format!("{}-{number}", name.replace('_', "-"))),
        kind => bail!("{name} is {kind:?}"),
    })
}

/// An object with its required properties, and each other with some probability.
fn object(schema: &Value, others: f64, number: usize, random: &mut ChaCha8Rng) -> Result<Value> {
    let required = schema["required"].as_array().context("no `required`")?;
    let properties = schema["properties"]
        .as_object()
        .context("no `properties`")?;
    let mut object = Map::new();
    for (name, property) in properties {
        if required.contains(&json!(name)) || random.random_bool(others) {
            object.insert(name.clone(), valid(name, property, number, random)?);
        }
    }
    Ok(Value::Object(object))
}
