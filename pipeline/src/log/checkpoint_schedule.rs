/// When a log's next checkpoint is due: so many records behind the last one; where that could not be written, an eighth of
/// them behind the try, so that a store that takes records but no checkpoints is not asked at each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckpointSchedule {
    every: u64,
    due_at: u64,
}

impl CheckpointSchedule {
    /// The newest checkpoint covers records up to `covered`.
    pub(crate) fn new(every: u64, covered: u64) -> Self {
        Self {
            every,
            due_at: covered.saturating_add(every),
        }
    }

    /// Whether one is due, with `last` as the log's last record.
    pub(crate) fn is_due(&self, last: u64) -> bool {
        last >= self.due_at
    }

    /// One that covers records up to `last` was tried, and written or not.
    pub(crate) fn tried(&mut self, last: u64, is_written: bool) {
        let records = if is_written {
            self.every
        } else {
            (self.every / 8).max(1)
        };
        self.due_at = last.saturating_add(records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_due_after_so_many_records_and_sooner_after_a_failure() {
        let mut schedule = CheckpointSchedule::new(64, 10);
        assert!(!schedule.is_due(73) && schedule.is_due(74));
        schedule.tried(74, false);
        assert!(!schedule.is_due(81) && schedule.is_due(82));
        schedule.tried(82, true);
        assert!(!schedule.is_due(145) && schedule.is_due(146));
        let mut every = CheckpointSchedule::new(1, 0);
        every.tried(1, false);
        assert!(every.is_due(2));
    }
}
