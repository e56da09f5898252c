//! What stands for an operator or a function that an executor could not make.
//!
//! An executor that cannot read a plan tells its scheduler no reason. So the plan is read all the same, with this in the
//! place of what failed, and the task fails of it with its cause: one that may pass (a store that does not answer) is
//! tried again, as if it had come up while the task ran.
//!
//! A dataset that takes its time to be opened is no failure: the task waits for it, and the operator is made then.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::CodecError;
use super::reader::OperatorReader;

/// Why a task could not be prepared where it was to run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("an executor cannot prepare its task: {0}")]
pub struct Unprepared(pub CodecError);

impl From<Unprepared> for DataFusionError {
    fn from(error: Unprepared) -> Self {
        Self::External(Box::new(error))
    }
}

/// An operator that fails as soon as it runs, unless it is made before.
#[derive(Debug)]
pub struct UnpreparedExec {
    cause: Unprepared,
    later: Option<Later>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

/// What an operator is made of once its dataset is open.
#[derive(Debug, Clone)]
pub struct Later {
    reader: Arc<OperatorReader>,
    bytes: Arc<[u8]>,
}

impl Later {
    /// The bytes of an operator, where it could not be made for no other cause than that a dataset was not open yet.
    pub fn where_it_helps(cause: &CodecError, reader: &Arc<OperatorReader>, bytes: &[u8]) -> Option<Self> {
        matches!(cause, CodecError::NotYet { .. }).then(|| Self { reader: Arc::clone(reader), bytes: bytes.into() })
    }
}

/// Whether operators of a plan are to be made before it runs: see [`prepared`].
pub fn is_to_be_prepared(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<UnpreparedExec>().is_some_and(|unprepared| unprepared.later.is_some())
        || plan.children().into_iter().any(is_to_be_prepared)
}

/// The plan with the operators whose datasets were not open when it was read. It waits until they are: not where others
/// wait for the thread.
pub fn prepared(plan: Arc<dyn ExecutionPlan>, context: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
    if !is_to_be_prepared(&plan) {
        return Ok(plan);
    }
    let inputs = plan.children().into_iter().map(|input| prepared(Arc::clone(input), context));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    if let Some(UnpreparedExec { later: Some(later), .. }) = plan.downcast_ref() {
        let made = match inputs.iter().find_map(cause_in) {
            Some(cause) => Err(cause.clone()),
            None => later.reader.operator(&later.bytes, &inputs, context, None),
        };
        return made.map_err(|cause| Unprepared(cause).into());
    }
    plan.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

impl UnpreparedExec {
    /// In the place of an operator with this schema and so many partitions.
    pub fn new(
        cause: CodecError,
        later: Option<Later>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        partitions: usize,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { cause: Unprepared(cause), later, inputs, properties: Arc::new(properties) }
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
        let (cause, later, properties) = (self.cause.clone(), self.later.clone(), Arc::clone(&self.properties));
        Ok(Arc::new(Self { cause, later, inputs, properties }))
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
