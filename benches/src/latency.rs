//! The 5-year replica behind a web server that waits before each answer and sends no faster than a line would: the time
//! should be that of the bytes on the line, and one wait.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::error::Error;
use super::process::run;
use super::server::{Line, Server};
use super::setting::Setting;
use super::table::Figures;

/// Waits, and bytes a second.
const LINES: [(u64, f64); 3] = [(50, 100e6), (100, 50e6), (100, 200e6)];

/// One query over lines of several kinds; gives a table.
pub fn latency(data: Option<&Path>, rounds: usize) -> Result<String, Error> {
    let setting = Setting::prepare(data, 5)?;
    let mut text = String::from(
        "| wait | MB/s | requests | MB | seconds | bytes ÷ speed + one wait | ratio |\n|---|---|---|---|---|---|---|\n",
    );
    for (milliseconds, speed) in LINES {
        let line = Line { wait: Duration::from_millis(milliseconds), bytes_per_second: speed };
        let server =
            Server::start(&setting.store, line).map_err(|error| Error::File { path: setting.store.clone(), error })?;
        let mut figures = Figures::default();
        for _ in 0..rounds {
            let query = format!("FROM 'http://{}' |> REDUCE avg(tmin) ALONG y, x", server.address());
            let mut command = Command::new(&setting.quarray);
            figures.add(&run(command.args(["--format", "csv", "-c", &query]), &setting.scratch)?);
        }
        let (requests, bytes) = server.served();
        let (requests, bytes) = (requests / rounds, bytes as f64 / rounds as f64);
        let (seconds, least) = (figures.median().unwrap_or(0.0), bytes / speed + line.wait.as_secs_f64());
        let _ = writeln!(
            text,
            "| {milliseconds} ms | {:.0} | {requests} | {:.0} | {seconds:.2} | {least:.2} | {:.2} |",
            speed / 1e6,
            bytes / 1e6,
            seconds / least
        );
    }
    Ok(text)
}
