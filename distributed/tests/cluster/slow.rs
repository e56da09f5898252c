//! An operator that takes its time over every batch, and its codec.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use futures::StreamExt;

const MARK: &[u8] = b"quarray-test-slow:";

/// How long an operator takes over a batch, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pace {
    pub pause_ms: u32,
    /// Whether it keeps its core busy.
    pub is_busy: bool,
    /// A file that grows by a byte a batch, and by one where its plan begins to be read and takes its time.
    pub trace: Option<PathBuf>,
    /// How long its plan takes to be read, where it has come in a message.
    pub reading_ms: u32,
}

impl Pace {
    pub fn pause(pause_ms: u32) -> Self {
        Self { pause_ms, ..Self::default() }
    }

    async fn take(&self) -> Result<()> {
        self.leave_a_trace()?;
        let pause = Duration::from_millis(u64::from(self.pause_ms));
        match self.is_busy {
            true => {
                let start = Instant::now();
                while start.elapsed() < pause {
                    std::hint::spin_loop();
                }
            }
            false => tokio::time::sleep(pause).await,
        }
        Ok(())
    }

    fn leave_a_trace(&self) -> Result<()> {
        let Some(trace) = &self.trace else { return Ok(()) };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(trace);
        file.and_then(|mut file| file.write_all(b".")).map_err(DataFusionError::IoError)
    }
}

/// Hands batches on, slowly.
#[derive(Debug)]
pub struct SlowExec {
    pub input: Arc<dyn ExecutionPlan>,
    pub pace: Pace,
}

impl DisplayAs for SlowExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SlowExec: {:?}", self.pace)
    }
}

impl ExecutionPlan for SlowExec {
    fn name(&self) -> &str {
        "SlowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self { input, pace: self.pace.clone() })),
            Err(found) => Err(DataFusionError::Internal(format!("expected one input, found {}", found.len()))),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let pace = self.pace.clone();
        let batches = self.input.execute(partition, context)?.then(move |batch| {
            let pace = pace.clone();
            async move {
                pace.take().await?;
                batch
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Knows [`SlowExec`], and what Ballista knows.
#[derive(Debug, Default)]
pub struct SlowCodec {
    ballista: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for SlowCodec {
    fn try_decode(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrong = || DataFusionError::Internal("no SlowExec".to_string());
        let Some(ours) = buffer.strip_prefix(MARK) else {
            return self.ballista.try_decode(buffer, inputs, context, converter);
        };
        let text = std::str::from_utf8(ours).map_err(|_| wrong())?;
        let mut parts = text.splitn(4, ' ');
        let mut next = || parts.next().ok_or_else(wrong);
        let (pause, busy, reading, trace) = (next()?, next()?, next()?, next()?);
        let reading_ms = reading.parse().map_err(|_| wrong())?;
        let trace = (!trace.is_empty()).then(|| PathBuf::from(trace));
        let pause_ms = pause.parse().map_err(|_| wrong())?;
        let pace = Pace { pause_ms, is_busy: busy == "true", trace, reading_ms };
        if reading_ms > 0 {
            pace.leave_a_trace()?;
            // What else waits for this thread goes on: the news that its job is cancelled must come before the task is known.
            let reading = Duration::from_millis(u64::from(reading_ms));
            tokio::task::block_in_place(|| std::thread::sleep(reading));
        }
        match inputs {
            [input] => Ok(Arc::new(SlowExec { input: Arc::clone(input), pace })),
            _ => Err(wrong()),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(slow) = node.downcast_ref::<SlowExec>() else {
            return self.ballista.try_encode(node, buffer, converter);
        };
        let Pace { pause_ms, is_busy, trace, reading_ms } = &slow.pace;
        let trace = trace.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        buffer.extend_from_slice(MARK);
        buffer.extend_from_slice(format!("{pause_ms} {is_busy} {reading_ms} {trace}").as_bytes());
        Ok(())
    }
}
