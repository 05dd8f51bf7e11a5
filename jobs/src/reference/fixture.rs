//! Reference data and list prices for tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use pipeline::history::{EventOrder, EventPlace};
use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::TimestampMs;

use super::list_price::Announcement;
use crate::error::Result;

use super::{PriceType, ReferenceData, RetailReference};

/// Reference data from (file name, content).
pub(crate) fn reference_data(files: &[(&str, &str)]) -> ReferenceData {
    load(files).unwrap()
}

/// The same where something may be wrong with them.
pub(crate) fn load<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Result<ReferenceData> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    ReferenceData::load(folder.path())
}

/// One retailer `C1`: territory T1 and class A until ms 1000 (region R1 throughout), then T2 and B.
pub(crate) fn one_customer() -> RetailReference {
    RetailReference::new(Arc::new(reference_data(&[(
        "ref_customer.csv",
        "customer_id,territory_id,class_id,region_code,valid_from,valid_to\n\
         C1,T1,A,R1,1970-01-01T00:00:00Z,1970-01-01T00:00:01Z\n\
         C1,T2,B,R1,1970-01-01T00:00:01Z,\n",
    )])))
}

/// Announces a list price that holds from `valid_from` on, by an event `id` of that instant.
pub(crate) fn list_price(
    reference: &mut RetailReference,
    id: &str,
    (sku_id, region_code, price_type): (&str, &str, PriceType),
    price_fen: i64,
    valid_from: TimestampMs,
    valid_to: Option<TimestampMs>,
) {
    let announcement = Announcement {
        region_code: region_code.into(),
        price_type,
        price: Fen::from_fen(price_fen),
        valid_from,
        valid_to,
        stamp: EventOrder {
            occurred_at: valid_from,
            recorded_at: valid_from,
            event_id: id.into(),
            place: EventPlace {
                topic: Topic::Prices,
                partition: 0,
                offset: 0,
            },
            part: 0,
        },
    };
    reference.list_prices.announce(&sku_id.into(), announcement);
}
