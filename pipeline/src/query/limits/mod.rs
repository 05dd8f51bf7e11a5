//! Functions whose results can be far larger than their arguments: they are refused before they allocate.
//!
//! The memory pool counts what sorts and aggregates hold, not what a function makes of one batch of rows: `repeat('x', 10^9)`
//! would end the process. [`limit_functions`] puts a bound before each such function and before `||`.

mod argument;
mod concat;
mod growth;

use std::any::type_name;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use self::argument::Argument;
use self::concat::LimitedConcat;
use self::growth::{Growth, growth_of};

/// The largest result of a function over one batch; text columns end at 2 GiB.
const MAX_RESULT_BYTES: u64 = 256 << 20;

/// Limits every function of the context that can make much of little, given the memory that all queries share.
pub(super) fn limit_functions(ctx: &SessionContext, memory_bytes: usize) {
    let limit = MAX_RESULT_BYTES.min(memory_bytes as u64 / 2);
    let state = ctx.state();
    for (name, function) in state.scalar_functions() {
        if let Some(growth) = growth_of(name).filter(|_| function.name() == name) {
            let mut signature = function.signature().clone();
            if makes_lists(name) {
                signature.volatility = Volatility::Volatile;
            }
            ctx.register_udf(ScalarUDF::new_from_impl(Limited {
                function: function.clone(),
                signature,
                growth,
                limit,
            }));
        }
    }
    ctx.add_analyzer_rule(Arc::new(LimitedConcat { limit }));
}

/// Long lists are made where they are needed, not while a query is planned: `unnest(range(1, 100000))` reads one row, and how many
/// rows there are is known only then.
fn makes_lists(function: &str) -> bool {
    matches!(
        function,
        "range" | "generate_series" | "array_repeat" | "array_resize"
    )
}

/// A result of so many bytes, or the refusal of it.
fn check(function: &str, bytes: u128, limit: u64) -> Result<()> {
    if bytes <= u128::from(limit) {
        return Ok(());
    }
    exec_err!(
        "{function} would make {} MiB of one batch of rows, the limit is {} MiB; make its results smaller",
        bytes >> 20,
        limit >> 20
    )
}

/// Padding takes a negative length of a column for a huge one; it means none.
fn raise_to_zero(lengths: Option<&mut ColumnarValue>) {
    if let Some(ColumnarValue::Array(lengths)) = lengths
        && let Some(integers) = lengths.as_primitive_opt::<Int64Type>()
    {
        *lengths = Arc::new(integers.unary::<_, Int64Type>(|length| length.max(0)));
    }
}

/// A function with a bound on its result.
struct Limited {
    function: Arc<ScalarUDF>,
    signature: Signature,
    growth: Growth,
    limit: u64,
}

impl fmt::Debug for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(type_name::<Self>())
            .field(&self.function)
            .finish()
    }
}

impl PartialEq for Limited {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && self.limit == other.limit
    }
}

impl Eq for Limited {}

impl Hash for Limited {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
        self.limit.hash(state);
    }
}

impl ScalarUDFImpl for Limited {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(arguments)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.function.return_type(arguments)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = args.args.iter().map(Argument::new);
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let bytes: u128 = if arguments.iter().all(Argument::is_constant) {
            // One result that stands in each row of a batch; a text is computed while the query is planned.
            let rows = if makes_lists(self.name()) {
                args.number_rows
            } else {
                args.config_options.execution.batch_size.get()
            };
            (self.growth)(&arguments, 0).saturating_mul(rows as u128)
        } else {
            (0..args.number_rows)
                .map(|row| (self.growth)(&arguments, row))
                .fold(0, u128::saturating_add)
        };
        check(self.name(), bytes, self.limit)?;
        if matches!(self.name(), "lpad" | "rpad") {
            raise_to_zero(args.args.get_mut(1));
        }
        self.function.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::fixture::assert_plans_agree_about_null;
    use crate::sql::{Arithmetic, register_all};

    #[tokio::test]
    async fn a_limited_function_says_everywhere_alike_whether_it_may_be_null() {
        let mut ctx = SessionContext::new();
        register_all(&mut ctx, Arithmetic::Checked);
        limit_functions(&ctx, 1 << 30);
        let limited = [
            "s || s",
            "s || 'x' || s",
            "repeat(s, 2)",
            "lpad(s, 4)",
            "replace(s, '5', '66')",
            "concat(s, s)",
        ];
        assert_plans_agree_about_null(&ctx, &limited).await;
    }
}
