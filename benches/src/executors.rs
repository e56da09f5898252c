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
    let asked: Vec<(&str, &str)> = [(query.as_str(), PROCESS), (query.as_str(), EXECUTORS)]
        .into_iter()
        .chain(SMALL.map(|small| (small, EXECUTORS)))
        .collect();
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); asked.len()];
    for begun in (0..pairs).step_by(PAIRS_A_SESSION) {
        let more = session(&setting, &asked, PAIRS_A_SESSION.min(pairs - begun))?;
        seconds.iter_mut().zip(more).for_each(|(seconds, more)| seconds.extend(more));
        eprint!(".");
    }
    eprintln!();
    Ok(tables(&seconds))
}

/// Of the seconds in one process, on executors, and of the small queries.
fn tables(seconds: &[Vec<f64>]) -> String {
    let [alone, shared, small @ ..] = seconds else { return String::new() };
    let ratios: Vec<f64> = shared.iter().zip(alone).map(|(shared, alone)| shared / alone).collect();
    let middle = |numbers: &[f64]| median(numbers).unwrap_or(f64::NAN);
    let (least, most) = ends(&ratios);
    let (ratio, pairs, alone, shared) = (middle(&ratios), ratios.len(), middle(alone), middle(shared));
    let mut text = format!(
        "{pairs} pairs of {QUERY}\n\n| one process | executors | ratio | least | most |\n|---|---|---|---|---|\n\
         | {alone:.2} s | {shared:.2} s | {ratio:.3} | {least:.2} | {most:.2} |\n\n\
         | small query | median ms | least | most |\n|---|---|---|---|\n"
    );
    for (query, seconds) in SMALL.into_iter().zip(small) {
        let (least, most) = ends(seconds);
        let (query, middle) = (query.replace('|', "\\|"), middle(seconds) * 1e3);
        let _ = writeln!(text, "| `{query}` | {middle:.0} | {:.0} | {:.0} |", least * 1e3, most * 1e3);
    }
    text
}

/// One session with a cluster, and one more pair than is wanted, the first, which is left out: the seconds of every query
/// at its place. Whichever place was second comes first in the next pair.
fn session(setting: &Setting, asked: &[(&str, &str)], pairs: usize) -> Result<Vec<Vec<f64>>, Error> {
    let mut statements = vec![format!("ATTACH '{}' AS daymet", setting.store.display()), CREATE.to_string()];
    for pair in 0..=pairs {
        let (first, others) = asked.split_at(2);
        let mut turn: Vec<_> = first.iter().collect();
        turn.rotate_left(pair % 2);
        for (query, place) in turn.into_iter().chain(others) {
            let go = if *place == EXECUTORS { ON_EXECUTORS } else { IN_PROCESS };
            statements.extend([go.to_string(), query.to_string()]);
        }
    }
    for (number, (query, place)) in asked.iter().enumerate() {
        let query = query.replace('\'', "''");
        let which = format!("text = '{query}' AND place = '{place}' ORDER BY started");
        statements.push(format!("SELECT 'figure {number}', seconds FROM system.queries WHERE {which}"));
    }
    let mut command = Command::new(&setting.quarray);
    command.args(["--threads", "2", "--format", "csv"]);
    command.args(statements.iter().flat_map(|statement| ["-c", statement]));
    let output = run(&mut command, &setting.scratch)?.output;
    let figures = |number: usize| {
        let start = format!("figure {number},");
        output.lines().filter_map(|line| line.strip_prefix(&start)?.parse().ok()).collect::<Vec<f64>>()
    };
    let found: Vec<Vec<f64>> = (0..asked.len()).map(figures).collect();
    match found.iter().all(|seconds| seconds.len() == pairs + 1) {
        true => Ok(found.into_iter().map(|seconds| seconds.into_iter().skip(1).collect()).collect()),
        false => Err(Error::Figures { program: "quarray".to_string(), found: output }),
    }
}

/// The least and the largest of some numbers.
fn ends(numbers: &[f64]) -> (f64, f64) {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    (least, numbers.iter().copied().fold(0.0, f64::max))
}
