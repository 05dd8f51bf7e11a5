//! Where an epoch stands.

use std::collections::VecDeque;
use std::sync::Arc;

use super::assemble::Draft;
use super::event::{RoundInput, RoundRequest};
use super::record::{EpochRecord, Intent};

/// Phases in their order; the machine's page draws them.
pub(super) enum Phase {
    Collecting,
    Asking {
        rounds: Vec<RoundRequest>,
        is_asked: bool,
    },
    Computing(Vec<RoundInput>),
    Assembled {
        draft: Box<Draft>,
        is_staging: bool,
    },
    Sealing(Arc<Intent>),
    Committing {
        intent: Arc<Intent>,
        remaining: VecDeque<String>,
    },
    Recording(Box<EpochRecord>),
}

impl Phase {
    pub(super) fn assembled(draft: Draft) -> Self {
        Self::Assembled {
            draft: Box::new(draft),
            is_staging: false,
        }
    }

    pub(super) fn committing(intent: Arc<Intent>) -> Self {
        Self::Committing {
            remaining: intent.tables.keys().cloned().collect(),
            intent,
        }
    }
}
