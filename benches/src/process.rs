//! One command as a process of its own: its seconds, its peak memory, its output.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::error::Error;

/// What a process took.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// From its start to its end.
    pub seconds: f64,
    /// The most memory it had resident, in MB (2^20 bytes).
    pub peak_megabytes: f64,
    /// What it wrote to either stream.
    pub output: String,
}

/// Runs a command to its end; `scratch` is a folder for its output.
pub fn run(command: &mut Command, scratch: &Path) -> Result<Run, Error> {
    let program = command.get_program().to_string_lossy().to_string();
    let path = scratch.join("output");
    let file_error = |error| Error::File { path: path.clone(), error };
    let mut output =
        File::options().create(true).truncate(true).read(true).write(true).open(&path).map_err(file_error)?;
    let (out, err) = (output.try_clone().map_err(file_error)?, output.try_clone().map_err(file_error)?);
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    let child = child.map_err(|error| Error::Start { program: program.clone(), error })?;
    let (code, peak_kilobytes) = wait(child.id()).map_err(|error| Error::Start { program, error })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut bytes = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut bytes)).map_err(file_error)?;
    let output = String::from_utf8_lossy(&bytes).to_string();
    match code {
        0 => Ok(Run { seconds, peak_megabytes: peak_kilobytes / 1024.0, output }),
        _ => Err(Error::Failed { command: format!("{command:?}"), code, output }),
    }
}

/// Waits for a child: its exit code (or its signal, negative) and its peak of resident memory in kilobytes.
fn wait(process: u32) -> Result<(i32, f64), std::io::Error> {
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zeros are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals that outlive the call.
    let waited = unsafe { libc::wait4(process as libc::pid_t, &mut status, 0, &mut usage) };
    if waited < 0 {
        return Err(std::io::Error::last_os_error());
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) };
    Ok((code, usage.ru_maxrss as f64))
}
