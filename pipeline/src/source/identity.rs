//! Which input it is that was read: a name and an offset alone do not tell.

use serde::{Deserialize, Serialize};

use super::files::LinesRead;
use crate::kafka::TopicId;

/// What tells an input apart from another one under the same name. Stands in seals beside the offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputIdentity {
    /// The source cannot tell (brokers before 2.8, producers in this process), or nothing has been read yet.
    #[default]
    Unknown,
    Topic(TopicId),
    Lines(LinesRead),
}

/// What to do where events that were not read are gone upstream (`[source] on_missing`). Event files: always `Fail`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// Stop, so that a person decides.
    #[default]
    Fail,
    /// Report the loss, count it, and go on with the earliest event that is there.
    Earliest,
}
