//! What stands for an operator or a function that an executor could not make.
//!
//! An executor that cannot read a plan tells its scheduler no reason. So the plan is read all the same, with this in the
//! place of what failed, and the task fails of it with its cause: one that may pass (a store that does not answer) is
//! tried again, as if it had come up while the task ran.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::CodecError;

/// Why a task could not be prepared where it was to run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("an executor cannot prepare its task: {0}")]
pub struct Unprepared(pub CodecError);

impl From<Unprepared> for DataFusionError {
    fn from(error: Unprepared) -> Self {
        Self::External(Box::new(error))
    }
}

/// An operator that fails as soon as it runs.
#[derive(Debug)]
pub struct UnpreparedExec {
    cause: Unprepared,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl UnpreparedExec {
    /// In the place of an operator with this schema and so many partitions.
    pub fn new(cause: CodecError, inputs: Vec<Arc<dyn ExecutionPlan>>, schema: SchemaRef, partitions: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { cause: Unprepared(cause), inputs, properties: Arc::new(properties) }
    }
}

/// Why a plan cannot run, if something in it could not be made.
pub fn cause_in(plan: &Arc<dyn ExecutionPlan>) -> Option<&CodecError> {
    match plan.downcast_ref::<UnpreparedExec>() {
        Some(unprepared) => Some(&unprepared.cause.0),
        None => plan.children().into_iter().find_map(cause_in),
    }
}

impl DisplayAs for UnpreparedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UnpreparedExec: {}", self.cause.0)
    }
}

impl ExecutionPlan for UnpreparedExec {
    fn name(&self) -> &str {
        "UnpreparedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { cause: self.cause.clone(), inputs, properties: Arc::clone(&self.properties) }))
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Err(self.cause.clone().into())
    }
}

/// A function that fails as soon as it is asked for anything.
pub fn unprepared_function(name: &str, cause: CodecError) -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Volatile);
    ScalarUDF::from(UnpreparedFunction { name: name.to_string(), cause: Cause(Unprepared(cause)), signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UnpreparedFunction {
    name: String,
    cause: Cause,
    signature: Signature,
}

/// A cause, by its words.
#[derive(Debug)]
struct Cause(Unprepared);

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for Cause {}

impl std::hash::Hash for Cause {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_string().hash(state);
    }
}

impl ScalarUDFImpl for UnpreparedFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Err(self.cause.0.clone().into())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(self.cause.0.clone().into())
    }
}
