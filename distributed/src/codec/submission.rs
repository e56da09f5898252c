//! A plan as bytes, checked before it is sent.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use prost::Message;

use super::unprepared::{cause_in, prepared};
use super::{CodecError, WireCodec};

/// Bytes of a plan, at most: less than the 16 MiB that a message between scheduler and executors may have, above which
/// the scheduler would take executors for lost.
pub const PLAN_BYTES_MAX: usize = 8 << 20;

/// The bytes of a plan, where they are not more than `most`.
pub fn encode_plan(plan: &Arc<dyn ExecutionPlan>, codec: &WireCodec, most: usize) -> Result<Vec<u8>, CodecError> {
    // DataFusion makes a text of the errors of a codec, with the whole plan in it: what is wrong is found before.
    let bytes = check_operators(plan, codec)?;
    if bytes > most {
        return Err(CodecError::TooLarge { bytes, most });
    }
    let bytes = PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), codec)?.encode_to_vec();
    match bytes.len() > most {
        true => Err(CodecError::TooLarge { bytes: bytes.len(), most }),
        false => Ok(bytes),
    }
}

/// The bytes of the operators of ours in a plan, together.
fn check_operators(plan: &Arc<dyn ExecutionPlan>, codec: &WireCodec) -> Result<usize, CodecError> {
    let own = codec.encode_operator(plan.as_ref())?.map_or(0, |bytes| bytes.len());
    plan.children().into_iter().try_fold(own, |bytes, child| Ok(bytes + check_operators(child, codec)?))
}

/// The plan of these bytes, for whoever runs it.
pub fn decode_plan(
    bytes: &[u8],
    codec: &WireCodec,
    context: &TaskContext,
) -> Result<Arc<dyn ExecutionPlan>, CodecError> {
    let plan = PhysicalPlanNode::decode(bytes)?.try_into_physical_plan(context, codec)?;
    let plan = prepared(plan, context)?;
    match cause_in(&plan) {
        Some(cause) => Err(cause.clone()),
        None => Ok(plan),
    }
}
