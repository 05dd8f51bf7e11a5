//! Reference data: versioned rows about customers, SKUs, places and units, read from files (contract, section 4).
//!
//! ```text
//!  ref/ref_customer.csv ─ load ─ file ─ column ─▶ typed columns ─┬─▶ ref.* tables, as in the files
//!                          schema: which columns, of which kinds ├─▶ validity: key, instant → row (K8) ─▶ asof.* tables
//!                                                                ├─▶ customers ─▶ ReferenceData::customer, read for every fact
//!                                                                └─▶ supply: constrained SKUs, allocation plans (K27)
//! ```
//!
//! The tables of a folder are one version, named by the hash of their content. A version never changes once it is read.

mod archived;
mod calendar;
mod column;
mod customers;
mod file;
mod inconsistencies;
mod load;
mod reference_data;
mod schema;
mod supply;
#[cfg(test)]
mod tests;
mod text;
mod validity;

pub(super) use archived::{decode, encode, hash_of, version_of_encoded};
pub(crate) use customers::CustomerAt;
pub use load::FolderStamp;
pub use reference_data::ReferenceData;
pub(crate) use supply::AllocationPlan;

/// The value of a dimension about which reference data say nothing (K8).
pub(crate) const UNKNOWN: &str = "UNKNOWN";
