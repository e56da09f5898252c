//! Plans made so that they mean the same when they are cut into stages.

use std::sync::Arc;

use ballista_core::extension::SessionConfigExt;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;

/// The settings that plans for executors are made with.
pub fn plan_settings(config: SessionConfig) -> SessionConfig {
    let mut config = config.upgrade_for_ballista();
    // An interleave wants inputs that are hashed alike, which is not known of what comes from other stages.
    config.options_mut().optimizer.prefer_existing_union = true;
    config
}

/// The plan with orders that outlive a shuffle.
///
/// In one process a repartition can merge sorted inputs, so that what comes out of it is sorted. Ballista makes a shuffle
/// of it, whose readers take what comes from several tasks as it comes: an aggregate that trusts in the order would tear
/// its groups apart, and rows would come in a wrong order. So they are sorted behind it.
pub fn prepared(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let sort_behind = |node: Arc<dyn ExecutionPlan>| {
        let merging = node.downcast_ref::<RepartitionExec>().filter(|repartition| repartition.preserve_order());
        let (Some(merging), Some(order)) = (merging, node.output_ordering().cloned()) else {
            return Ok(Transformed::no(node));
        };
        let plain = RepartitionExec::try_new(Arc::clone(merging.input()), merging.partitioning().clone())?;
        Ok(Transformed::yes(Arc::new(SortExec::new(order, Arc::new(plain)).with_preserve_partitioning(true)) as _))
    };
    plan.transform_up(sort_behind).data()
}
