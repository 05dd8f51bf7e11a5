//! The sums of many groups at once.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::i256;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::{SumType, add, summands};

/// A group without a value has no sum.
#[derive(Debug)]
pub(super) struct SumOfGroups {
    result: SumType,
    sums: Vec<Option<i256>>,
}

impl SumOfGroups {
    pub(super) fn new(result: SumType) -> Self {
        Self {
            result,
            sums: Vec::new(),
        }
    }
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl GroupsAccumulator for SumOfGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, None);
        for (row, x) in summands(&values[0])?.into_iter().enumerate() {
            let Some(x) = x.filter(|_| passes(filter, row)) else {
                continue;
            };
            let sum = &mut self.sums[group_indices[row]];
            *sum = Some(add(sum.unwrap_or(i256::ZERO), x)?);
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        self.result.column(sums.into_iter())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        Ok(vec![self.result.state_column(sums.into_iter())?])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = summands(&values[0])?.into_iter().enumerate();
        let passing = rows.map(|(row, x)| x.filter(|_| passes(filter, row)));
        Ok(vec![self.result.state_column(passing)?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.capacity() * size_of::<Option<i256>>()
    }
}
