//! Plans that run as a scheduler has them run: cut into stages, each task a part of a stage's partitions, sent as bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::execution_plans::{ShuffleWriter, UnresolvedShuffleExec};
use ballista_core::extension::SessionConfigExt;
use ballista_scheduler::planner::{DefaultDistributedPlanner, DistributedPlanner};
use ballista_scheduler::state::task_builder::restrict_plan_to_partitions;
use datafusion::catalog::Session as PlanningSession;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, common::collect};
use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;
use quarray_distributed::cluster::preparation::{plan_settings, prepared};
use quarray_distributed::codec::{PLAN_BYTES_MAX, WireCodec, decode_plan, encode_plan};
use quarray_engine::Session;
use quarray_engine::physical::GridQueryPlanner;
use quarray_engine::state::{GridSettings, StateSettings, session_state};

/// What becomes of the plans of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// They are kept, and run as they are.
    Keep,
    /// They are sent whole.
    Whole,
    /// They are cut into stages, whose tasks have so many partitions.
    Stages(usize),
}

/// Plans queries, sends what was planned, and gives what was received.
#[derive(Debug)]
pub struct SendingPlanner {
    sending: Sending,
    /// The one who sends.
    codec: WireCodec,
    /// Those who receive: tasks go to one after the other.
    executors: Vec<Executor>,
    /// Plans as they were before they were sent.
    pub plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
}

/// A process of its own, as far as plans can tell.
#[derive(Debug)]
struct Executor {
    codec: WireCodec,
    context: Arc<TaskContext>,
}

impl Executor {
    fn new() -> Self {
        let settings = StateSettings {
            memory_limit: 1 << 30,
            threads: 2,
            grid: GridSettings::default(),
            access: quarray_engine::AccessPolicy::everything(),
            memory_pool: None,
        };
        let state = session_state(&settings, &Arc::default()).expect("a state");
        Self { codec: WireCodec::default(), context: state.task_ctx() }
    }
}

/// The output of a stage: the batches of each partition.
type StageOutput = Vec<Vec<RecordBatch>>;

/// Has a session send its plans.
pub fn send_plans(session: &Session, sending: Sending) -> Arc<SendingPlanner> {
    let executors = vec![Executor::new(), Executor::new()];
    let planner = SendingPlanner { sending, codec: WireCodec::default(), executors, plans: Mutex::default() };
    let planner = Arc::new(planner);
    let state = session.context().state();
    let config = match sending {
        Sending::Stages(_) => plan_settings(state.config().clone()),
        Sending::Keep | Sending::Whole => state.config().clone(),
    };
    let state = SessionStateBuilder::new_from_existing(state).with_config(config);
    let state = state.with_query_planner(Arc::clone(&planner) as _).build();
    *session.context().state_ref().write() = state;
    planner
}

#[async_trait]
impl QueryPlanner for SendingPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn PlanningSession,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = GridQueryPlanner.create_physical_plan(plan, state).await?;
        self.plans.lock().push(Arc::clone(&planned));
        match self.sending {
            Sending::Keep => Ok(planned),
            Sending::Whole => self.send(&planned, &self.executors[0]),
            Sending::Stages(partitions) => {
                self.run_stages(planned, partitions, state.config().target_partitions()).await
            }
        }
    }
}

impl SendingPlanner {
    fn send(&self, plan: &Arc<dyn ExecutionPlan>, executor: &Executor) -> Result<Arc<dyn ExecutionPlan>> {
        let bytes = encode_plan(plan, &self.codec, PLAN_BYTES_MAX)?;
        let received = decode_plan(&bytes, &executor.codec, &executor.context)?;
        // What is received is what was sent.
        let shown = |plan: &Arc<dyn ExecutionPlan>| {
            let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
            // Windows show metadata, which has no order.
            plan.lines().filter(|line| !line.contains("metadata: {")).collect::<Vec<_>>().join("\n")
        };
        match (shown(plan), shown(&received)) {
            (sent, found) if sent == found => Ok(received),
            (sent, found) => Err(DataFusionError::Execution(format!("sent\n{sent}received\n{found}"))),
        }
    }

    async fn run_stages(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        partitions: usize,
        target: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = plan.schema();
        // The scheduler settles orders and distributions once more, for as many partitions as the plan was made for.
        let config = SessionConfig::new_with_ballista().with_target_partitions(target);
        let job = JobId::new("job".to_string());
        let stages = DefaultDistributedPlanner::new().plan_query_stages(&job, prepared(plan)?, config.options());
        let stages = stages.map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let mut outputs: HashMap<usize, StageOutput> = HashMap::new();
        let mut last = Vec::new();
        for stage in stages {
            last = self.run_stage(stage.as_ref(), &outputs, partitions).await?;
            outputs.insert(stage.stage_id(), last.clone());
        }
        Ok(MemorySourceConfig::try_new_exec(&last, schema, None)?)
    }

    /// Runs the tasks of a stage, the last first, so that nothing comes in the order in which it is wanted.
    async fn run_stage(
        &self,
        stage: &dyn ShuffleWriter,
        outputs: &HashMap<usize, StageOutput>,
        partitions: usize,
    ) -> Result<StageOutput> {
        let plan = resolved(Arc::clone(stage.children()[0]), outputs)?;
        let count = plan.properties().partitioning.partition_count();
        let mut output: StageOutput = vec![Vec::new(); count];
        let all: Vec<usize> = (0..count).collect();
        for (number, task) in all.chunks(partitions).enumerate().rev() {
            let executor = &self.executors[number % self.executors.len()];
            let received = self.send(&restrict_plan_to_partitions(Arc::clone(&plan), task)?, executor)?;
            assert_eq!(received.properties().partitioning.partition_count(), task.len(), "{task:?} of {count}");
            let runs = task.iter().enumerate().map(|(place, _)| {
                let stream = received.execute(place, Arc::clone(&executor.context));
                tokio::spawn(async move { collect(stream?).await })
            });
            let runs: Vec<_> = runs.collect();
            for (&partition, run) in task.iter().zip(runs) {
                let run = run.await.map_err(|error| DataFusionError::Execution(error.to_string()))?;
                output[partition] = run?;
            }
        }
        let Some(partitioning) = stage.shuffle_output_partitioning() else { return Ok(output) };
        let input = MemorySourceConfig::try_new_exec(&output, plan.schema(), None)?;
        let shuffled: Arc<dyn ExecutionPlan> = Arc::new(RepartitionExec::try_new(input, partitioning.clone())?);
        datafusion::physical_plan::collect_partitioned(shuffled, Arc::clone(&self.executors[0].context)).await
    }
}

/// The plan of a stage with the outputs of others in place of their names.
fn resolved(plan: Arc<dyn ExecutionPlan>, outputs: &HashMap<usize, StageOutput>) -> Result<Arc<dyn ExecutionPlan>> {
    let resolved = plan.transform_up(|node| {
        let Some(shuffle) = node.downcast_ref::<UnresolvedShuffleExec>() else { return Ok(Transformed::no(node)) };
        let Some(output) = outputs.get(&shuffle.stage_id) else {
            return Err(DataFusionError::Execution(format!("stage {} did not run", shuffle.stage_id)));
        };
        let output = match shuffle.broadcast {
            true => vec![output.concat()],
            false => output.clone(),
        };
        assert_eq!(output.len(), shuffle.output_partition_count, "stage {}", shuffle.stage_id);
        Ok(Transformed::yes(MemorySourceConfig::try_new_exec(&output, Arc::clone(&shuffle.schema), None)? as _))
    })?;
    Ok(resolved.data)
}
