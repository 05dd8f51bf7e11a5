//! One sum, which takes values back where a window slides.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Decimal256Type, i256};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::super::list_state::list_state;
use super::{SumType, add, summands};

/// Without a value there is no sum.
#[derive(Debug)]
pub(super) struct Sum {
    result: SumType,
    sum: i256,
    values_n: u64,
}

impl Sum {
    pub(super) fn new(result: SumType) -> Self {
        Self {
            result,
            sum: i256::ZERO,
            values_n: 0,
        }
    }

    fn current(&self) -> impl Iterator<Item = Option<i256>> {
        std::iter::once((self.values_n > 0).then_some(self.sum))
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for x in summands(&values[0])?.into_iter().flatten() {
            self.sum = add(self.sum, x)?;
            self.values_n += 1;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for x in summands(&values[0])?.into_iter().flatten() {
            self.sum = add(self.sum, x.wrapping_neg())?;
            self.values_n -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.result.state_column(self.current())?;
        Ok(vec![ScalarValue::try_from_array(&state, 0)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.result.column(self.current())?;
        ScalarValue::try_from_array(&sum, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum of different values: each with how often it is there.
#[derive(Debug)]
pub(super) struct DistinctSum {
    result: SumType,
    values: HashMap<i256, u64>,
}

impl DistinctSum {
    pub(super) fn new(result: SumType) -> Self {
        Self {
            result,
            values: HashMap::new(),
        }
    }
}

impl Accumulator for DistinctSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for x in summands(&values[0])?.into_iter().flatten() {
            *self.values.entry(x).or_default() += 1;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for part in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[part])?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for x in summands(&values[0])?.into_iter().flatten() {
            if let Some(times) = self.values.get_mut(&x) {
                *times -= 1;
                if *times == 0 {
                    self.values.remove(&x);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.values.keys().copied().collect();
        let state = list_state::<Decimal256Type>(values, &self.result.state_type());
        Ok(vec![state])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self
            .values
            .keys()
            .try_fold(i256::ZERO, |sum, x| add(sum, *x))?;
        let sum = (!self.values.is_empty()).then_some(sum);
        let sum = self.result.column(std::iter::once(sum))?;
        ScalarValue::try_from_array(&sum, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<(i256, u64)>()
    }
}
