//! Events and customers written by hand, for situations that the simulator does not make.

use std::fs;
use std::path::Path;

use anyhow::Result;
use schemas::time::TimestampMs;
use serde_json::{Value, json};

use crate::events::Line;

/// An event that was recorded when it happened. `fields` come on top, and may replace what the envelope says.
pub fn event(event_type: &str, event_id: &str, at: TimestampMs, fields: Value) -> Value {
    let envelope = json!({
        "event_id": event_id, "event_type": event_type, "schema_version": 1, "occurred_at": at, "recorded_at": at,
    });
    with_fields(envelope, fields)
}

/// An object with further fields, which replace those of the same name; anything but objects stays as it is.
pub fn with_fields(mut object: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut object, more) {
        fields.extend(more);
    }
    object
}

/// An event as a line of an event file.
pub fn line(event: &Value) -> Line {
    event.to_string().into_bytes()
}

/// Makes the folder of reference data with these customers and their territories: retailers of class A, known since 2025.
pub fn write_customers(reference: &Path, customers: &[(&str, &str)]) -> Result<()> {
    let mut text = "customer_id,class_id,territory_id,area_unit_id,customer_kind,region_code,valid_from,valid_to\n".to_owned();
    for (customer, territory) in customers {
        text += &format!("{customer},A,{territory},AREA1,RETAILER,110000,2025-01-01T00:00:00Z,\n");
    }
    fs::create_dir_all(reference)?;
    Ok(fs::write(reference.join("ref_customer.csv"), text)?)
}
