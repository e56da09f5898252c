//! The codec: operators of ours by their recipes, all others by Ballista.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use datafusion_proto::protobuf::Schema as SchemaMessage;
use parking_lot::Mutex;
use prost::Message;
use quarray_engine::exec::{Recipe, is_grid_operator, origin_of};

use super::datasets::Datasets;
use super::expressions::{Expressions, aggregate_function};
use super::reader::OperatorReader;
use super::recipes::encode_recipe;
use super::unprepared::{Later, UnpreparedExec, cause_in, unprepared_function};
use super::{CodecError, message};

/// The version of the wire form: both sides must have the same.
pub const VERSION: u8 = 2;

/// What our bytes begin with, before the version: no message of Ballista's does, whose first field has another type.
const PREFIX: &[u8] = b"Quarray";

/// How long an opening is waited for where a plan is read, which must not take long; then the task itself waits.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(1);

/// How long it is for functions in operators of others, which cannot be made later; then the task is tried again.
const FUNCTION_PATIENCE: Duration = Duration::from_secs(5);

/// Writes plans that executors read.
pub struct WireCodec {
    ballista: BallistaPhysicalExtensionCodec,
    reader: Arc<OperatorReader>,
    expressions: Expressions,
    /// The bytes of recipes that are alive.
    written: Mutex<Vec<WrittenRecipe>>,
}

/// A recipe, as long as it is alive, and its bytes.
type WrittenRecipe = (Weak<Recipe>, Arc<Vec<u8>>);

impl Default for WireCodec {
    fn default() -> Self {
        let datasets = Datasets::default();
        Self {
            ballista: BallistaPhysicalExtensionCodec::default(),
            expressions: Expressions::new(datasets.within(FUNCTION_PATIENCE)),
            reader: Arc::new(OperatorReader::new(datasets)),
            written: Mutex::default(),
        }
    }
}

impl WireCodec {
    /// The bytes of an operator; none where it is none of ours.
    pub fn encode_operator(&self, operator: &dyn ExecutionPlan) -> Result<Option<Vec<u8>>, CodecError> {
        let Some(origin) = origin_of(operator) else {
            return match is_grid_operator(operator) {
                true => Err(CodecError::NoRecipe { operator: operator.name().to_string() }),
                false => Ok(None),
            };
        };
        let recipe = self.recipe_bytes(&origin.recipe)?;
        let mut bytes = Vec::with_capacity(recipe.len() + 64);
        let schema = SchemaMessage::try_from(operator.schema())
            .map_err(|error| CodecError::NoWireForm { what: "a schema".to_string(), why: error.to_string() })?;
        let partitions = operator.properties().partitioning.partition_count();
        let message = message::Operator {
            recipe: recipe.to_vec(),
            path: origin.path.clone(),
            schema: schema.encode_to_vec(),
            partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
        };
        with_prefix(&message, &mut bytes);
        Ok(Some(bytes))
    }

    fn recipe_bytes(&self, recipe: &Arc<Recipe>) -> Result<Arc<Vec<u8>>, CodecError> {
        let is_this = |(known, _): &&WrittenRecipe| std::ptr::eq(known.as_ptr(), Arc::as_ptr(recipe));
        if let Some((_, bytes)) = self.written.lock().iter().find(is_this) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Arc::new(encode_recipe(recipe, &self.expressions)?);
        let mut written = self.written.lock();
        written.retain(|(known, _)| known.strong_count() > 0);
        written.push((Arc::downgrade(recipe), Arc::clone(&bytes)));
        Ok(bytes)
    }
}

/// What stands for an operator that cannot be made, or not yet, if so much of its bytes can be read; the cause otherwise.
fn in_its_place(
    reader: &Arc<OperatorReader>,
    bytes: &[u8],
    inputs: &[Arc<dyn ExecutionPlan>],
    cause: CodecError,
) -> Result<Arc<dyn ExecutionPlan>, CodecError> {
    let message = message::Operator::decode(bytes)?;
    let schema = SchemaMessage::decode(message.schema.as_slice())?;
    let schema =
        arrow::datatypes::Schema::try_from(&schema).map_err(|error| CodecError::Malformed(error.to_string()))?;
    let partitions = message.partitions as usize;
    // Nobody runs more partitions than there are in what it reads.
    let most = inputs.iter().map(|input| input.output_partitioning().partition_count()).max().unwrap_or(1);
    if !(1..=most.max(1)).contains(&partitions) {
        return Err(cause);
    }
    let later = Later::where_it_helps(&cause, reader, bytes);
    Ok(Arc::new(UnpreparedExec::new(cause, later, inputs.to_vec(), Arc::new(schema), partitions)))
}

/// Appends a message of ours.
pub fn with_prefix(message: &impl Message, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(PREFIX);
    buffer.push(VERSION);
    buffer.extend(message.encode_to_vec());
}

/// What follows the prefix, where it is ours and of this version.
pub fn contents(buffer: &[u8]) -> Result<Option<&[u8]>, CodecError> {
    match buffer.strip_prefix(PREFIX) {
        None => Ok(None),
        Some([VERSION, contents @ ..]) => Ok(Some(contents)),
        Some(other) => {
            Err(CodecError::Version { expected: VERSION, found: other.first().copied().unwrap_or_default() })
        }
    }
}

impl fmt::Debug for WireCodec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WireCodec").finish_non_exhaustive()
    }
}

impl PhysicalExtensionCodec for WireCodec {
    fn try_decode(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        match contents(buffer)? {
            Some(contents) => {
                // Over what could not be made nothing of ours can be: operators look for the blocks below them.
                let made = match inputs.iter().find_map(cause_in) {
                    Some(cause) => Err(cause.clone()),
                    None => self.reader.operator(contents, inputs, context, Some(OPERATOR_PATIENCE)),
                };
                made.or_else(|cause| Ok(in_its_place(&self.reader, contents, inputs, cause)?))
            }
            None => self.ballista.try_decode(buffer, inputs, context, converter),
        }
    }

    fn try_encode(
        &self,
        operator: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataFusionResult<()> {
        match self.encode_operator(operator.as_ref())? {
            Some(bytes) => {
                buffer.extend(bytes);
                Ok(())
            }
            None => self.ballista.try_encode(operator, buffer, converter),
        }
    }

    fn try_decode_udf(&self, name: &str, buffer: &[u8]) -> DataFusionResult<Arc<ScalarUDF>> {
        let function = self.expressions.decode_function(name, buffer);
        Ok(function.unwrap_or_else(|cause| Arc::new(unprepared_function(name, cause))))
    }

    fn try_encode_udf(&self, function: &ScalarUDF, buffer: &mut Vec<u8>) -> DataFusionResult<()> {
        Ok(self.expressions.encode_function(function, buffer)?)
    }

    fn try_decode_udaf(&self, name: &str, _buffer: &[u8]) -> DataFusionResult<Arc<AggregateUDF>> {
        Ok(aggregate_function(name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_told() -> Result<(), CodecError> {
        let mut bytes = Vec::new();
        let sent = message::Operator { recipe: vec![1], path: vec![2], schema: Vec::new(), partitions: 3 };
        with_prefix(&sent, &mut bytes);
        let operator = message::Operator::decode(contents(&bytes)?.unwrap_or_default())?;
        assert_eq!(operator, sent);
        bytes[PREFIX.len()] = VERSION + 1;
        let found = contents(&bytes);
        assert!(matches!(found, Err(CodecError::Version { expected: VERSION, found }) if found == VERSION + 1));
        assert!(matches!(contents(PREFIX), Err(CodecError::Version { found: 0, .. })));
        assert!(contents(b"\x0a\x02ab")?.is_none());
        Ok(())
    }

    #[test]
    fn bytes_that_are_no_plan_are_refused() {
        let reader = OperatorReader::new(Datasets::default());
        let context = TaskContext::default();
        let nothing = message::Operator::default().encode_to_vec();
        for bytes in [&b"\xff\xff"[..], b"", &nothing] {
            let found = reader.operator(bytes, &[], &context, None);
            assert!(matches!(found, Err(CodecError::Malformed(_))), "{bytes:?}: {found:?}");
        }
    }
}
