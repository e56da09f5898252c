//! What a comparison needs: data, peers, the program of the limit. Made once, and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::process::run;

/// The folder of this crate: its queries and peers.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Where everything is.
#[derive(Debug)]
pub struct Setting {
    /// A folder for what is thrown away.
    pub scratch: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// Python with the peers' packages.
    pub python: PathBuf,
    /// The program of the physical limit.
    pub limit: PathBuf,
    /// The `quarray` command, built as this program was.
    pub quarray: PathBuf,
}

impl Setting {
    /// Makes what is not there yet.
    pub fn prepare(data: Option<&Path>, years: usize) -> Result<Self, Error> {
        let data = data.map_or_else(default_data, Path::to_path_buf);
        let scratch = data.join("scratch");
        fs::create_dir_all(&scratch).map_err(|error| Error::File { path: scratch.clone(), error })?;
        let python = peers(&data, &scratch)?;
        let store = data.join(format!("daymet{years}.zarr"));
        if !store.join(".zmetadata").exists() {
            eprintln!("making {years} years of data");
            let script = Path::new(HERE).join("peers/make_daymet.py");
            run(Command::new(&python).arg(script).arg(&store).arg(years.to_string()), &scratch)?;
        }
        let limit = limit(&data, &scratch)?;
        Ok(Self { scratch, store, python, limit, quarray: quarray()? })
    }

    /// The text of a query.
    pub fn query(&self, name: &str) -> Result<String, Error> {
        let path = Path::new(HERE).join("queries").join(name).with_extension("sql");
        fs::read_to_string(path).map(|text| text.trim().to_string()).map_err(|_| Error::Query(name.to_string()))
    }

    /// A script of this crate.
    pub fn script(&self, name: &str) -> PathBuf {
        Path::new(HERE).join(name)
    }
}

/// The names of all queries.
pub fn queries() -> Result<Vec<String>, Error> {
    let path = Path::new(HERE).join("queries");
    let files = fs::read_dir(&path).map_err(|error| Error::File { path, error })?;
    let mut names: Vec<String> =
        files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_string_lossy().to_string())).collect();
    names.sort();
    Ok(names)
}

/// A virtual environment with the peers' packages.
fn peers(data: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    let folder = data.join("peers");
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    if !done.exists() {
        eprintln!("installing the peers");
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder), scratch)?;
        let requirements = Path::new(HERE).join("peers/requirements.txt");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements), scratch)?;
        fs::write(&done, "").map_err(|error| Error::File { path: done, error })?;
    }
    Ok(python)
}

/// The program of the limit, which may use all of the machine it is built on.
fn limit(data: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    let target = data.join("limit");
    let folder = Path::new(HERE).join("peers/limit");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target).current_dir(folder);
    run(&mut build, scratch)?;
    Ok(target.join("release/limit"))
}

/// The `quarray` command, built as this program was.
pub fn quarray() -> Result<PathBuf, Error> {
    let this = std::env::current_exe().map_err(|error| Error::Start { program: "benches".to_string(), error })?;
    Ok(this.with_file_name("quarray"))
}

/// Where data are when nothing else is said.
pub fn default_data() -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    home.join(".cache/quarray/bench")
}
