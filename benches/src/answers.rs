//! The ten queries on executors: every answer that of one process, to the last bit and in the same order.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::process::run;
use super::setting::{Setting, queries};

/// Executors of one core, and the memory of each.
const CLUSTERS: [(usize, &str); 4] = [(1, "2 GiB"), (2, "2 GiB"), (4, "2 GiB"), (2, "320 MiB")];

/// Five years on every cluster; gives a table, or the first answer that is another.
pub fn answers(data: Option<&Path>) -> Result<String, Error> {
    let setting = Setting::prepare(data, 5)?;
    let mut text = "| query | bytes |".to_string();
    text.extend(CLUSTERS.map(|(executors, memory)| format!(" {executors} of {memory} |")));
    let _ = writeln!(text, "\n|---|---|{}", "---|".repeat(CLUSTERS.len()));
    for name in queries()? {
        eprint!("{name}");
        let expected = answer(&setting, &name, None)?;
        let failed = |error| Error::File { path: expected.clone(), error };
        let _ = write!(text, "| {name} | {} |", expected.metadata().map_err(failed)?.len());
        for (executors, memory) in CLUSTERS {
            eprint!(".");
            let found = answer(&setting, &name, Some((executors, memory)))?;
            if !are_same(&expected, &found).map_err(failed)? {
                return Err(Error::Different {
                    query: name,
                    place: format!("{executors} of {memory}"),
                    expected,
                    found,
                });
            }
            text.push_str(" equal |");
        }
        text.push('\n');
        eprintln!();
    }
    Ok(text)
}

/// A file of the answer; its numbers are written so that each is read again as it was.
fn answer(setting: &Setting, name: &str, cluster: Option<(usize, &str)>) -> Result<PathBuf, Error> {
    let place = if cluster.is_some() { "executors" } else { "process" };
    let path = setting.scratch.join(format!("{name}.{place}.csv"));
    let mut command = Command::new(&setting.quarray);
    command.args(["-c", &format!("ATTACH '{}' AS daymet", setting.store.display())]);
    if let Some((executors, memory)) = cluster {
        let size = format!("min = {executors}, max = {executors}, cores = 1, memory = '{memory}'");
        command.args(["-c", &format!("CREATE CLUSTER some WITH ({size})"), "-c", "USE CLUSTER some"]);
    }
    command.args(["-c", &setting.query(name)?, "--format", "csv", "-o"]).arg(&path);
    run(&mut command, &setting.scratch).map(|_| path)
}

/// Whether two files have the same bytes.
fn are_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let both = left.len().min(right.len());
        if left[..both] != right[..both] || (both == 0 && left.len() != right.len()) {
            return Ok(false);
        }
        if both == 0 {
            return Ok(true);
        }
        one.consume(both);
        other.consume(both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_to_their_ends() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).map(|()| path)
        };
        let long = vec![7; 100_000];
        let mut changed = long.clone();
        changed[99_999] = 8;
        let (one, same) = (file("one", &long)?, file("same", &long)?);
        assert!(are_same(&one, &same)?);
        for other in [&changed[..], &long[..99_999], &[]] {
            let other = file("other", other)?;
            assert!(!are_same(&one, &other)? && !are_same(&other, &one)?);
        }
        Ok(())
    }
}
