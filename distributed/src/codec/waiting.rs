//! Waiting for I/O where plans are read, which is no place to await.

use std::future::Future;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::CodecError;

/// Runs a future to its end. It gets a thread and a runtime of its own, since the caller may stand in a task of another
/// one, whose other tasks go on meanwhile where they can. Connections that it leaves end with the runtime: a store's
/// client makes new ones, in the runtime that the chunks are read in.
pub fn wait_for<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, CodecError> {
    let is_worker = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    match is_worker {
        true => tokio::task::block_in_place(|| on_a_thread(future)),
        false => on_a_thread(future),
    }
}

fn on_a_thread<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, CodecError> {
    let failed = |why: String| CodecError::Planning(format!("a dataset could not be opened: {why}"));
    let finished = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            Ok::<_, std::io::Error>(runtime.block_on(future))
        });
        thread.join()
    });
    match finished {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("the thread ended early".to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_outside_of_a_runtime_and_in_either_kind_of_one() -> Result<(), Box<dyn std::error::Error>> {
        let later = || async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            7
        };
        assert_eq!(wait_for(later())?, 7);
        let single = Builder::new_current_thread().enable_all().build()?;
        assert_eq!(single.block_on(async { wait_for(later()) })?, 7);
        let many = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        assert_eq!(many.block_on(async { tokio::spawn(async move { wait_for(later()) }).await })??, 7);
        Ok(())
    }
}
