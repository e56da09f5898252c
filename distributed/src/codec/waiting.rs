//! Waiting for I/O where plans are read, which is no place to await.
//!
//! Ballista reads plans before it answers the scheduler, which gives up an executor that does not answer in time. So the
//! work is done on threads of its own, and goes on when nobody has the patience to wait for it any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::CodecError;

/// The result of work on a thread of its own, once it is there.
pub struct Awaited<T> {
    result: Mutex<Option<Result<T, CodecError>>>,
    is_there: Condvar,
}

impl<T> fmt::Debug for Awaited<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Awaited").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + 'static> Awaited<T> {
    /// Begins the work. Connections that it leaves end with it: a store's client makes new ones, in the runtime that the
    /// chunks are read in.
    pub fn begin(work: impl FnOnce() -> Result<T, CodecError> + Send + 'static) -> Arc<Self> {
        let awaited = Arc::new(Self { result: Mutex::default(), is_there: Condvar::new() });
        let shared = Arc::clone(&awaited);
        let begun = std::thread::Builder::new().name("opening".to_string()).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            shared.end(result.unwrap_or_else(|panic| Err(failed(&said(panic.as_ref())))));
        });
        if let Err(error) = begun {
            awaited.end(Err(failed(&error.to_string())));
        }
        awaited
    }

    fn end(&self, result: Result<T, CodecError>) {
        *self.result.lock() = Some(result);
        self.is_there.notify_all();
    }

    /// Whether the result is there.
    pub fn has_ended(&self) -> bool {
        self.result.lock().is_some()
    }

    /// The result; none where it is not there at `end`. The caller may stand in a task of a runtime, whose other tasks go
    /// on meanwhile where they can.
    pub fn wait(&self, end: Option<Instant>) -> Option<Result<T, CodecError>> {
        aside(|| {
            let mut result = self.result.lock();
            while result.is_none() {
                match end {
                    None => self.is_there.wait(&mut result),
                    Some(end) if self.is_there.wait_until(&mut result, end).timed_out() => break,
                    Some(_) => {}
                }
            }
            result.clone()
        })
    }
}

/// Runs a future to its end, on a thread that belongs to no runtime.
pub fn run<T>(future: impl Future<Output = T>) -> Result<T, CodecError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error.to_string()))?;
    Ok(runtime.block_on(future))
}

fn aside<T>(wait: impl FnOnce() -> T) -> T {
    let is_worker = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    match is_worker {
        true => tokio::task::block_in_place(wait),
        false => wait(),
    }
}

fn failed(why: &str) -> CodecError {
    CodecError::Planning(format!("a dataset could not be opened: {why}"))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    format!("the thread ended early: {}", text.unwrap_or("it did not say why"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_outside_of_a_runtime_and_in_either_kind_of_one() -> Result<(), Box<dyn std::error::Error>> {
        let work = || {
            run(async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                7
            })
        };
        let later = move || Awaited::begin(work).wait(None);
        assert!(matches!(later(), Some(Ok(7))));
        let single = Builder::new_current_thread().enable_all().build()?;
        assert!(matches!(single.block_on(async { later() }), Some(Ok(7))));
        let many = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        assert!(matches!(many.block_on(async { tokio::spawn(async move { later() }).await })?, Some(Ok(7))));
        Ok(())
    }

    #[test]
    fn work_goes_on_when_patience_ends() -> Result<(), Box<dyn std::error::Error>> {
        let (sender, receiver) = std::sync::mpsc::channel::<i32>();
        let work = Awaited::begin(move || receiver.recv().map_err(|error| failed(&error.to_string())));
        assert!(work.wait(Some(Instant::now() + Duration::from_millis(5))).is_none());
        sender.send(7)?;
        assert!(matches!(work.wait(None), Some(Ok(7))));
        assert!(matches!(work.wait(Some(Instant::now())), Some(Ok(7))));
        Ok(())
    }

    #[test]
    fn a_thread_that_breaks_off_is_told() {
        let work = Awaited::<i32>::begin(|| std::panic::resume_unwind(Box::new("for a test")));
        let found = work.wait(None);
        assert!(matches!(&found, Some(Err(CodecError::Planning(why))) if why.ends_with("for a test")), "{found:?}");
    }

    /// The one thread of a runtime is free for others while it is waited for.
    #[test]
    fn other_tasks_go_on_meanwhile() -> Result<(), Box<dyn std::error::Error>> {
        let many = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (sender, receiver) = std::sync::mpsc::channel::<i32>();
        let work = Awaited::begin(move || receiver.recv().map_err(|error| failed(&error.to_string())));
        let waiters: Vec<_> = (0..3).map(|_| (Arc::clone(&work), many.handle().clone())).collect();
        let waiters: Vec<_> =
            waiters.into_iter().map(|(work, handle)| handle.spawn(async move { work.wait(None) })).collect();
        many.block_on(many.spawn(async move { sender.send(7) }))??;
        for waiter in waiters {
            assert!(matches!(many.block_on(waiter)?, Some(Ok(7))));
        }
        Ok(())
    }
}
