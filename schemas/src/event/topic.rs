use serde::{Deserialize, Serialize};

use crate::time::DurationMs;

/// One of the four input topics, in the order in which inputs are listed everywhere.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Orders,
    Visits,
    Complaints,
    Prices,
}

impl Topic {
    pub const ALL: [Topic; 4] = [
        Topic::Orders,
        Topic::Visits,
        Topic::Complaints,
        Topic::Prices,
    ];

    /// The name in SQL (`events.orders`) and in configuration (`[time.orders]`).
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Orders => "orders",
            Topic::Visits => "visits",
            Topic::Complaints => "complaints",
            Topic::Prices => "prices",
        }
    }

    /// The Kafka topic unless the configuration names another.
    pub const fn default_topic(self) -> &'static str {
        match self {
            Topic::Orders => "orders.v1",
            Topic::Visits => "visits.v1",
            Topic::Complaints => "complaints.v1",
            Topic::Prices => "prices.v1",
        }
    }

    /// How far events may be out of order unless the configuration says otherwise (contract 2).
    pub const fn default_out_of_orderness(self) -> DurationMs {
        match self {
            Topic::Orders => DurationMs::MINUTE,
            Topic::Complaints => DurationMs::from_secs(5),
            Topic::Visits | Topic::Prices => DurationMs::from_minutes(10),
        }
    }

    /// How late events may be beyond that unless the configuration says otherwise (contract 2); later ones are too late (K6).
    pub const fn default_allowed_lateness(self) -> DurationMs {
        match self {
            Topic::Orders | Topic::Complaints => DurationMs::from_days(2),
            Topic::Visits | Topic::Prices => DurationMs::from_days(7),
        }
    }

    /// Position in [`Topic::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a record's partition follows from an id in its payload; every shard reads all of `prices`.
    pub const fn is_keyed(self) -> bool {
        !matches!(self, Topic::Prices)
    }
}
