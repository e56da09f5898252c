//! A query in one process and on executors, and what small queries take on a warm cluster.
//!
//! One session asks both in turns, so that a slow moment of the machine meets both.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::error::Error;
use super::process::run;
use super::setting::Setting;
use super::table::median;

/// The query that is asked in both ways.
const QUERY: &str = "mean_space";

/// Queries with hardly any work: without a table, of a few cells, of three stages.
const SMALL: [&str; 3] = [
    "SELECT 1 AS a",
    "FROM daymet[time[0], y[:10], x[:10]] |> REDUCE avg(tmin) ALONG y, x",
    "SELECT k, count(*) AS n FROM (SELECT value % 3 AS k FROM range(0, 1000)) GROUP BY k",
];

/// Pairs that one session is asked for, beside the first, which finds nothing warm.
const PAIRS_A_SESSION: usize = 10;

/// Two executors of one core have what one process of two threads has.
const CREATE: &str = "CREATE CLUSTER pair WITH (min = 2, max = 2, cores = 1, memory = '2 GiB')";
const ON_EXECUTORS: &str = "USE CLUSTER pair";
const IN_PROCESS: &str = "USE LOCAL";

/// What the records of queries call these places.
const EXECUTORS: &str = "pair";
const PROCESS: &str = "this process";

/// So many pairs of the real size, and as many small queries of each kind; gives their tables.
pub fn executors(data: Option<&Path>, pairs: usize) -> Result<String, Error> {
    let setting = Setting::prepare(data, 41)?;
    let query = setting.query(QUERY)?;
    let mut measured = Vec::new();
    while measured.len() < pairs {
        let wanted = PAIRS_A_SESSION.min(pairs - measured.len());
        measured.extend(paired(&setting, &query, wanted)?);
        eprint!(".");
    }
    let mut text = format!("{} pairs of {QUERY}\n\n", measured.len());
    text.push_str("| one process | executors | ratio | least | most |\n|---|---|---|---|---|\n");
    let (alone, shared): (Vec<f64>, Vec<f64>) = measured.iter().copied().unzip();
    let ratios: Vec<f64> = measured.iter().map(|(alone, shared)| shared / alone).collect();
    let middle = |numbers: &[f64]| median(numbers).unwrap_or(0.0);
    let (least, most) = ends(&ratios);
    let (ratio, alone, shared) = (middle(&ratios), middle(&alone), middle(&shared));
    let _ = writeln!(text, "| {alone:.2} s | {shared:.2} s | {ratio:.3} | {least:.2} | {most:.2} |");
    text.push_str("\n| small query | median ms | least | most |\n|---|---|---|---|\n");
    for (small, seconds) in SMALL.into_iter().zip(small_queries(&setting, pairs)?) {
        let (least, most) = ends(&seconds);
        let (small, middle) = (small.replace('|', "\\|"), middle(&seconds) * 1e3);
        let _ = writeln!(text, "| `{small}` | {middle:.0} | {:.0} | {:.0} |", least * 1e3, most * 1e3);
    }
    eprintln!();
    Ok(text)
}

/// Seconds in one process and on executors, in turns; whichever was second comes first in the next pair.
fn paired(setting: &Setting, query: &str, pairs: usize) -> Result<Vec<(f64, f64)>, Error> {
    let mut statements = Vec::new();
    for pair in 0..=pairs {
        let ways = if pair % 2 == 0 { [IN_PROCESS, ON_EXECUTORS] } else { [ON_EXECUTORS, IN_PROCESS] };
        statements.extend(ways.into_iter().flat_map(|way| [way, query]));
    }
    let mut found = session(setting, &statements, &[(query, PROCESS), (query, EXECUTORS)])?.into_iter();
    let (alone, shared) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
    Ok(alone.into_iter().zip(shared).skip(1).collect())
}

/// Seconds of every small query, so many times each.
fn small_queries(setting: &Setting, times: usize) -> Result<Vec<Vec<f64>>, Error> {
    let mut statements = vec![ON_EXECUTORS];
    statements.extend((0..=times).flat_map(|_| SMALL));
    let found = session(setting, &statements, &SMALL.map(|query| (query, EXECUTORS)))?;
    Ok(found.into_iter().map(|seconds| seconds.into_iter().skip(1).collect()).collect())
}

/// One session over the data, with a cluster: the seconds of every query that is asked for, at its place, in their order.
fn session(setting: &Setting, statements: &[&str], asked: &[(&str, &str)]) -> Result<Vec<Vec<f64>>, Error> {
    let mut command = Command::new(&setting.quarray);
    let attach = format!("ATTACH '{}' AS daymet", setting.store.display());
    command.args(["--threads", "2", "--format", "csv", "-c", &attach, "-c", CREATE]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    for (number, (query, place)) in asked.iter().enumerate() {
        let query = query.replace('\'', "''");
        let which = format!("text = '{query}' AND place = '{place}' ORDER BY started");
        command.arg("-c").arg(format!("SELECT 'figure {number}', seconds FROM system.queries WHERE {which}"));
    }
    let output = run(&mut command, &setting.scratch)?.output;
    let figures = |number: usize| {
        let start = format!("figure {number},");
        output.lines().filter_map(|line| line.strip_prefix(&start)?.parse().ok()).collect::<Vec<f64>>()
    };
    let found: Vec<Vec<f64>> = (0..asked.len()).map(figures).collect();
    match found.iter().any(Vec::is_empty) {
        true => Err(Error::Figures { program: "quarray".to_string(), found: output }),
        false => Ok(found),
    }
}

/// The least and the largest of some numbers.
fn ends(numbers: &[f64]) -> (f64, f64) {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    (least, numbers.iter().copied().fold(0.0, f64::max))
}
