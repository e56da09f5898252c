//! Queries by Quarray and by its peers, alternately, each run in a process of its own.

use std::path::Path;
use std::process::Command;

use super::Comparison;
use super::error::Error;
use super::process::{Run, run};
use super::setting::{Setting, queries};
use super::table::{Figures, Row, table};

/// Peers beside Dask, and the queries that each can do.
const OTHERS: &[(&str, &[&str])] =
    &[("xarray", &[]), ("tensorstore", &["mean_space", "mean_time"]), ("xarray-sql", &["mean_space", "mean_time"])];

/// The query that the program of the limit does.
const LIMIT: &str = "mean_space";

/// How many times as long as Dask a peer takes that is not run again.
const HOPELESS: f64 = 1.5;

/// Runs a comparison; gives its table.
pub fn compare(comparison: &Comparison) -> Result<String, Error> {
    let setting = Setting::prepare(comparison.data.as_deref(), comparison.years)?;
    let names = match comparison.queries.is_empty() {
        true => queries()?,
        false => comparison.queries.clone(),
    };
    let mut rows = Vec::new();
    for name in &names {
        eprint!("{name}");
        rows.push(compare_query(&setting, name, comparison)?);
        eprintln!();
    }
    Ok(table(&rows))
}

fn compare_query(setting: &Setting, name: &str, comparison: &Comparison) -> Result<Row, Error> {
    let answer = setting.scratch.join(format!("{name}.arrow"));
    let mut row = Row { name: name.to_string(), ..Row::default() };
    let peers = OTHERS.iter().filter(|(_, known)| known.is_empty() || known.contains(&name)).map(|(peer, _)| *peer);
    row.others = peers.map(|peer| (peer.to_string(), Figures::default())).collect();
    for _ in 0..comparison.rounds {
        eprint!(".");
        row.quarray.add(&quarray(setting, name, &answer)?);
        if name == LIMIT {
            row.limit.add(&run(Command::new(&setting.limit).arg(&setting.store), &setting.scratch)?);
        }
        if !comparison.alone {
            row.dask.add(&peer(setting, "dask", name)?);
            let dask = row.dask.median().unwrap_or(f64::INFINITY);
            row.others.retain_mut(|(other, figures)| {
                // One that takes far longer than Dask need not show it again.
                if figures.median().is_some_and(|seconds| seconds > HOPELESS * dask) {
                    return true;
                }
                // One that cannot do a query (memory, for one) is not asked again.
                let found = peer(setting, other, name);
                found.map(|run| figures.add(&run)).is_ok()
            });
        }
    }
    if comparison.check {
        row.verdict = Some(check(setting, name, &answer)?);
    }
    Ok(row)
}

fn quarray(setting: &Setting, name: &str, answer: &Path) -> Result<Run, Error> {
    let attach = format!("ATTACH '{}' AS daymet", setting.store.display());
    let query = setting.query(name)?;
    let mut command = Command::new(&setting.quarray);
    command.args(["-c", &attach, "-c", &query, "--format", "arrow", "-o"]).arg(answer);
    run(&mut command, &setting.scratch)
}

/// A peer tells its own seconds, which begin after its imports and the opening of the store.
fn peer(setting: &Setting, peer: &str, name: &str) -> Result<Run, Error> {
    let mut command = Command::new(&setting.python);
    command.arg(setting.script("peers/peer.py")).args([peer, name]).arg(&setting.store);
    let found = run(&mut command, &setting.scratch)?;
    let figures = found.output.lines().find(|line| line.starts_with(peer)).and_then(|line| {
        let mut fields = line.split('\t').skip(2);
        let mut number = |unit: &str| fields.next()?.strip_suffix(unit)?.trim().parse::<f64>().ok();
        Some((number("s")?, number("MB")?))
    });
    match figures {
        Some((seconds, peak_megabytes)) => Ok(Run { seconds, peak_megabytes, ..found }),
        None => Err(Error::Figures { program: peer.to_string(), found: found.output }),
    }
}

/// Compares every value of an answer with xarray's.
fn check(setting: &Setting, name: &str, answer: &Path) -> Result<String, Error> {
    let mut command = Command::new(&setting.python);
    command.arg(setting.script("check.py")).args(["--compare", name]).arg(&setting.store).arg(answer);
    match run(&mut command, &setting.scratch) {
        Ok(run) => Ok(run.output.trim().to_string()),
        Err(Error::Failed { code: 1, output, .. }) => Ok(format!("wrong: {}", output.trim())),
        Err(error) => Err(error),
    }
}
