//! `mask_condition(c)`: the condition of a `MASK`, and nothing but a condition.

use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The function: its argument, which must be true or false.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MaskCondition {
    signature: Signature,
}

impl Default for MaskCondition {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MaskCondition {
    fn name(&self) -> &str {
        "mask_condition"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Boolean | DataType::Null] => Ok(DataType::Boolean),
            other => plan_err!("MASK takes a condition, found a value of type {}", other[0]),
        }
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        arguments.args.swap_remove(0).cast_to(&DataType::Boolean, None)
    }
}
