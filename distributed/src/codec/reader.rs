//! Operators of ours from their bytes: their recipes are planned again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;
use prost::Message;
use quarray_engine::exec::operator_at;
use quarray_engine::state::Threads;

use super::datasets::Datasets;
use super::expressions::Expressions;
use super::recipes::decode_recipe;
use super::{CodecError, message};

/// Plans that are kept, so that the operators of a task, and the tasks of a job, are made from one.
const PLANS_MAX: usize = 16;

/// Reads operators of ours.
pub struct OperatorReader {
    datasets: Datasets,
    /// The plans of recipes, by their bytes; those used last at the end. The bytes tell openings of datasets apart: none is
    /// over a dataset that was opened for another one.
    plans: Mutex<VecDeque<PlannedRecipe>>,
}

/// The bytes of a recipe, and its plan.
type PlannedRecipe = (Vec<u8>, Arc<dyn ExecutionPlan>);

impl OperatorReader {
    /// Over the datasets of this process.
    pub fn new(datasets: Datasets) -> Self {
        Self { datasets, plans: Mutex::default() }
    }

    /// The operator of these bytes, which come after the prefix; each dataset is waited for no longer than `patience`.
    pub fn operator(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        patience: Option<Duration>,
    ) -> Result<Arc<dyn ExecutionPlan>, CodecError> {
        let operator = message::Operator::decode(bytes)?;
        let plan = match self.known_plan(&operator.recipe) {
            Some(plan) => plan,
            None => self.plan(operator.recipe, context, patience)?,
        };
        let threads = Threads::of(context.session_config());
        Ok(operator_at(&plan, &operator.path, inputs.to_vec(), threads)?)
    }

    fn known_plan(&self, recipe: &[u8]) -> Option<Arc<dyn ExecutionPlan>> {
        let mut plans = self.plans.lock();
        let place = plans.iter().position(|(known, _)| known == recipe)?;
        let found = plans.remove(place)?;
        let plan = Arc::clone(&found.1);
        plans.push_back(found);
        Some(plan)
    }

    fn plan(
        &self,
        bytes: Vec<u8>,
        context: &TaskContext,
        patience: Option<Duration>,
    ) -> Result<Arc<dyn ExecutionPlan>, CodecError> {
        let datasets = patience.map_or_else(|| self.datasets.clone(), |patience| self.datasets.within(patience));
        let recipe = decode_recipe(&bytes, &datasets, &Expressions::new(datasets.clone()), context)?;
        let plan = Arc::new(recipe).plan()?;
        let mut plans = self.plans.lock();
        if plans.len() == PLANS_MAX {
            plans.pop_front();
        }
        plans.push_back((bytes, Arc::clone(&plan)));
        Ok(plan)
    }
}

impl fmt::Debug for OperatorReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OperatorReader").finish_non_exhaustive()
    }
}
