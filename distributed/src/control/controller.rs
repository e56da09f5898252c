//! Does, twice a second, what the scaling decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::observer::Observer;
use crate::cluster::{ExecutorProvider, ExecutorShape, Scheduler, Stop};
use crate::scaling::{Decision, Limits, LogEntry, Policy, ScalingLog, ScalingMode, ScalingState, decide, retirements};

/// Time between two looks.
const TICK: Duration = Duration::from_millis(500);

/// Decisions that are remembered.
const LOG_ENTRIES: usize = 1000;

/// How long an executor that leaves may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// After starts that fail, the next waits twice as long each time, up to this.
const START_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What was asked of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How many executors.
    pub mode: ScalingMode,
    /// Whether all that come by themselves are kept, until another number is asked for.
    pub keeps_all: bool,
    /// What each of them has.
    pub shape: ExecutorShape,
    /// The settings of the rule.
    pub policy: Policy,
    /// The limits of the cluster.
    pub cluster: Limits,
    /// The limits of its user.
    pub user: Limits,
}

/// The controller of one cluster. It ends when it is dropped; the executors stay.
#[derive(Debug)]
pub struct Controller {
    shared: Arc<Shared>,
    rounds: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    asked: Mutex<Asked>,
    log: Mutex<ScalingLog>,
    began: Instant,
    is_asked: Notify,
}

impl Controller {
    /// Begins to control the executors of a provider, on the scheduler's threads.
    pub fn start(scheduler: Arc<Scheduler>, provider: Arc<dyn ExecutorProvider>, asked: Asked) -> Self {
        let shared = Arc::new(Shared {
            asked: Mutex::new(asked),
            log: Mutex::new(ScalingLog::new(LOG_ENTRIES)),
            began: Instant::now(),
            is_asked: Notify::new(),
        });
        let threads = scheduler.threads().clone();
        let rounds = Rounds::new(Arc::clone(&shared), Observer::new(scheduler, provider));
        Self { shared, rounds: threads.spawn(rounds.run()).abort_handle() }
    }

    /// What is asked now.
    pub fn asked(&self) -> Asked {
        *self.shared.asked.lock()
    }

    /// Asks for another number of executors; a decision follows at once.
    pub fn ask(&self, mode: ScalingMode) {
        let mut asked = self.shared.asked.lock();
        (asked.mode, asked.keeps_all) = (mode, false);
        drop(asked);
        self.shared.is_asked.notify_one();
    }

    /// How many executors there are to be, since the latest decision.
    pub fn desired(&self) -> Option<u32> {
        self.shared.log.lock().entries().last().map(|entry| entry.decision.desired)
    }

    /// The decisions so far, the oldest first, and the moment that their times are counted from.
    pub fn log(&self) -> (Vec<LogEntry>, Instant) {
        (self.shared.log.lock().entries().cloned().collect(), self.shared.began)
    }

    /// The last so many decisions, the latest first, and the moment that their times are counted from.
    pub fn latest(&self, count: usize) -> (Vec<LogEntry>, Instant) {
        (self.shared.log.lock().entries().rev().take(count).cloned().collect(), self.shared.began)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.rounds.abort();
    }
}

/// The rounds of a controller.
struct Rounds {
    shared: Arc<Shared>,
    observer: Observer,
    state: ScalingState,
    failed_starts: u32,
    may_start_at: Instant,
}

impl Rounds {
    fn new(shared: Arc<Shared>, observer: Observer) -> Self {
        Self { shared, observer, state: ScalingState::default(), failed_starts: 0, may_start_at: Instant::now() }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            self.round().await;
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = shared.is_asked.notified() => {}
            }
        }
    }

    async fn round(&mut self) {
        let asked = *self.shared.asked.lock();
        let asked = self.fitted(asked).await;
        let seen = self.observer.look(&asked).await;
        self.note_starts(seen.failed_starts, seen.has_arrivals);
        let (decision, state) = decide(&seen.inputs, &asked.policy, &self.state);
        self.state = state;
        self.shared.log.lock().record(&seen.inputs, &decision);
        self.act(&asked, &decision).await;
    }

    /// What is asked, by what there is: cores that somebody else chooses, and executors that are all to be kept.
    async fn fitted(&self, mut asked: Asked) -> Asked {
        if let Some(shape) = self.observer.provider().shape() {
            asked.shape = shape;
            asked.cluster.cores_each = u32::try_from(shape.cores).unwrap_or(u32::MAX);
        }
        if let (true, ScalingMode::Between { max, .. }) = (asked.keeps_all, asked.mode) {
            let present = self.observer.scheduler().state().executors().await.len();
            let min = u32::try_from(present).unwrap_or(u32::MAX);
            asked.mode = ScalingMode::Between { min, max: max.max(min) };
            asked.user.max = asked.user.max.max(min);
        }
        asked
    }

    async fn act(&mut self, asked: &Asked, decision: &Decision) {
        let fences = Arc::clone(self.observer.scheduler().state());
        for id in &decision.resume {
            // One that cannot be taken back now is in the next round.
            if self.observer.scheduler().take_back(id).await.is_ok() {
                self.observer.resumes(id);
            }
        }
        if Instant::now() >= self.may_start_at {
            for _ in 0..decision.start {
                let shape = ExecutorShape { cores: decision.cores_each as usize, ..asked.shape };
                if self.observer.provider().start(shape).await.is_err() {
                    self.note_starts(1, false);
                    break;
                }
            }
        }
        decision.cordon.iter().for_each(|id| fences.fence(id));
        self.retire(&decision.drain, &decision.stop);
        if !decision.cordon.is_empty() {
            // A task may have been given to one of them just before: it is looked at again behind the fence.
            let behind = self.observer.look(asked).await;
            self.note_starts(behind.failed_starts, behind.has_arrivals);
            let rest = retirements(&behind.inputs);
            self.retire(&rest.drain, &rest.stop);
        }
    }

    /// Lets executors go on their way out.
    fn retire(&mut self, drain: &[String], stop: &[String]) {
        drain.iter().for_each(|id| self.observer.drains(id));
        for id in stop {
            self.observer.stops(id);
            let (provider, id) = (Arc::clone(self.observer.provider()), id.clone());
            tokio::spawn(async move {
                // One that is not there any more has left by itself.
                let _ = provider.stop(&id, Stop::Gracefully, LEAVE_PATIENCE).await;
            });
        }
    }

    /// Executors that do not come are not started without end.
    fn note_starts(&mut self, failed: u32, has_arrivals: bool) {
        if has_arrivals {
            self.failed_starts = 0;
        }
        if failed > 0 {
            self.failed_starts = self.failed_starts.saturating_add(failed);
            let pause = Duration::from_secs(1).saturating_mul(1 << self.failed_starts.min(10));
            self.may_start_at = Instant::now() + pause.min(START_PAUSE_MAX);
        }
    }
}
