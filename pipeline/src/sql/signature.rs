//! What the functions have in common: the type of their results, the types of their arguments, how they are described.

use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{DocSection, Documentation};

use super::decimal;

/// DECIMAL(38, 6): split quantities and derived money (contract 5).
pub(super) const DECIMAL_38_6: DataType = DataType::Decimal128(decimal::PRECISION, decimal::SCALE);

/// The decimal type that holds every value of an integer or decimal type.
pub(super) fn as_decimal(function: &str, argument: &DataType) -> Result<DataType> {
    Ok(match argument {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            DataType::Decimal128(19, 0)
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            DataType::Decimal128(20, 0)
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Null => DECIMAL_38_6,
        other => {
            return plan_err!(
                "{function} takes integers and decimals, not {other}; cast it, for instance CAST(x AS DECIMAL(38, 6))"
            );
        }
    })
}

/// The same for the two arguments of a function.
pub(super) fn as_decimals(function: &str, arguments: &[DataType]) -> Result<Vec<DataType>> {
    let [a, b] = take_function_args(function, arguments)?;
    Ok(vec![as_decimal(function, a)?, as_decimal(function, b)?])
}

/// The description that `information_schema.routines` shows.
pub(super) fn documentation(
    name: &str,
    description: &str,
    arguments: &[(&str, &str)],
    example: &str,
) -> Documentation {
    let section = DocSection {
        include: true,
        label: "Exact Functions",
        description: None,
    };
    let syntax = format!(
        "{name}({})",
        arguments
            .iter()
            .map(|(argument, _)| *argument)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let mut builder =
        Documentation::builder(section, description, syntax).with_sql_example(example.to_owned());
    for (argument, text) in arguments {
        builder = builder.with_argument(*argument, *text);
    }
    builder.build()
}
