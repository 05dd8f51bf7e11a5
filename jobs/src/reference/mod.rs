//! Reference state: what every shard knows beside the events of its keys.
//!
//! ```text
//!  [reference] dir ─ archive ─▶ data         ReferenceData: one version of all files ┐
//!                                                                                    ├▶ state: RetailReference ─▶ operators, asof.*
//!  prices ─ price.list_set ───▶ list_price   ListPrices: every announced list price ─┘
//! ```
//!
//! Operators look up dimensions and list prices as of the instant at which a fact counts (K8). Metric queries read the same as of
//! the end of their window, as tables `asof.*`.

mod archive;
mod data;
#[cfg(test)]
pub(crate) mod fixture;
mod list_price;
mod state;

pub use archive::ReferenceArchive;
pub(crate) use data::UNKNOWN;
pub use data::{FolderStamp, ReferenceData};
pub(crate) use list_price::PriceType;
pub use state::RetailReference;
