//! Rows of `ref_customer` as structs: every fact looks one up.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::columns::Columns;

use super::UNKNOWN;

/// A customer's attributes in one version; texts are [`UNKNOWN`] where the row says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomerAt {
    /// Whether a version was in force.
    pub(crate) is_known: bool,
    pub(crate) territory_id: Arc<str>,
    pub(crate) class_id: Arc<str>,
    pub(crate) area_unit_id: Arc<str>,
    pub(crate) region_code: Arc<str>,
    pub(crate) customer_kind: Arc<str>,
    pub(crate) is_sample: bool,
}

impl CustomerAt {
    /// A customer of whom no version is in force.
    pub(super) fn unknown() -> Self {
        let unknown: Arc<str> = UNKNOWN.into();
        Self {
            is_known: false,
            territory_id: unknown.clone(),
            class_id: unknown.clone(),
            area_unit_id: unknown.clone(),
            region_code: unknown.clone(),
            customer_kind: unknown,
            is_sample: false,
        }
    }
}

/// Every row of `ref_customer`, in order.
pub(super) fn read(batch: &RecordBatch) -> Result<Vec<CustomerAt>, ArrowError> {
    let columns = Columns::of(batch);
    let territory_id = columns.text("territory_id")?;
    let class_id = columns.text("class_id")?;
    let area_unit_id = columns.text("area_unit_id")?;
    let region_code = columns.text("region_code")?;
    let customer_kind = columns.text("customer_kind")?;
    let is_sample = columns.flag("is_sample")?;
    // A hundred thousand rows hold a few hundred values: each is kept once.
    let mut interned: HashSet<Arc<str>> = HashSet::new();
    let mut intern = |text: Option<&str>| {
        let text = text.unwrap_or(UNKNOWN);
        if let Some(known) = interned.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        interned.insert(new.clone());
        new
    };
    Ok((0..batch.num_rows())
        .map(|row| CustomerAt {
            is_known: true,
            territory_id: intern(territory_id.get(row)),
            class_id: intern(class_id.get(row)),
            area_unit_id: intern(area_unit_id.get(row)),
            region_code: intern(region_code.get(row)),
            customer_kind: intern(customer_kind.get(row)),
            is_sample: is_sample.get(row).unwrap_or(false),
        })
        .collect())
}
