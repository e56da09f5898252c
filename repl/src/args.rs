//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::cluster::{ExecutorCounts, parse_executors, parse_host};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people: the first and last rows, cut to the terminal's width.
    Table,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// An array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Arrow IPC: the stream format on stdout, the file format with --output.
    Arrow,
    /// Parquet; needs --output.
    Parquet,
}

/// Query arrays with SQL and more.
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray", version, about, after_help = AFTER_HELP)]
pub struct Args {
    /// Files of statements to run, `-` for standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Statements to run; may be given more than once. They may begin with a comment (`-- …`).
    #[arg(short, long = "command", value_name = "QUERY", allow_hyphen_values = true)]
    pub commands: Vec<String>,
    /// How results are written; by the name of --output if that says, else as a table.
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Write results to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Memory that queries may hold at once: 400MB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub memory_limit: Option<usize>,
    /// Threads that work on queries; the cores of the machine by default.
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<usize>,
    /// Cells that are decoded and reduced at a time, in bytes of an array: 1MiB, 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub block_size: Option<usize>,
    /// Attach a store under a name before anything runs; may be given more than once.
    #[arg(long, value_name = "NAME=URI", value_parser = parse_attachment)]
    pub attach: Vec<Attachment>,
    /// Run queries on so many executors of this machine, started for this session: 4, or 2..10.
    #[arg(long, value_name = "N|MIN..MAX", value_parser = parse_executors)]
    pub executors: Option<ExecutorCounts>,
    /// Watch queries in a browser: serves pages about this session on this machine, and tells their address.
    #[arg(long, conflicts_with = "connect")]
    pub dashboard: bool,
    /// Run statements in a server (`quarray serve`): paths are those of its machine. Encrypted: grpcs://HOST:PORT.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = parse_server,
        conflicts_with_all = ["executors", "memory_limit", "threads", "block_size"]
    )]
    pub connect: Option<String>,
    /// Who it is that the server is to let in; the password is QUARRAY_PASSWORD or is asked for.
    #[arg(long, value_name = "NAME", requires = "connect")]
    pub user: Option<String>,
    /// Whose certificates are trusted (PEM); the authorities of the system by default.
    #[arg(long, value_name = "FILE", requires = "connect")]
    pub tls_ca: Option<PathBuf>,
}

/// A store to attach: `era5=https://…/era5.zarr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name.
    pub name: String,
    /// The address.
    pub uri: String,
}

impl Format {
    /// The format that the name of a file asks for.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Whether results in this format can follow one another in one file.
    pub fn can_be_joined(self) -> bool {
        matches!(self, Self::Table | Self::Csv | Self::Jsonl)
    }
}

const AFTER_HELP: &str = "\
`quarray serve` runs statements for `quarray --connect`, `quarray hash-password` makes its users; `quarray scheduler` and
`quarray executor` are parts of a cluster.
With --help they tell more.
Without FILE and QUERY: a shell on a terminal, else statements from standard input. Files run before queries.
Exit status: 0 when everything ran, 1 when a statement failed, 2 when the command line is wrong, 130 when interrupted.";

impl Args {
    /// The arguments of a command line, the program's name first.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }

    /// How results are written.
    pub fn format(&self) -> Format {
        let by_name = || self.output.as_deref().and_then(Format::of_file);
        self.format.or_else(by_name).unwrap_or(Format::Table)
    }

    /// Whether the command line itself names something to run.
    pub fn has_work(&self) -> bool {
        !self.files.is_empty() || !self.commands.is_empty()
    }
}

/// Bytes of a size such as `1048576`, `400MB` (decimal), `2GiB` (binary) or `1.5 GB`.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let bytes = quarray_lang::quantity::parse_bytes(text).map_err(|error| error.to_string())?;
    match usize::try_from(bytes) {
        Ok(0) => Err(format!("expected a size of at least 1 B, found '{text}'")),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(format!("expected a size of at most {} B, found '{text}'", usize::MAX)),
    }
}

pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(threads @ 1..=4096) => Ok(threads),
        _ => Err(format!("`{text}` is no number of threads; write 1 to 4096")),
    }
}

/// The address of a server, also in the way that it tells it itself.
fn parse_server(text: &str) -> Result<String, String> {
    let scheme = if text.starts_with("grpcs://") { "grpcs://" } else { "" };
    let address = text.strip_prefix("grpc://").or(text.strip_prefix("grpcs://")).unwrap_or(text);
    let (host, port) = parse_host(address)?;
    // The colons of an address are no port.
    Ok(if host.contains(':') { format!("{scheme}[{host}]:{port}") } else { format!("{scheme}{host}:{port}") })
}

fn parse_attachment(text: &str) -> Result<Attachment, String> {
    match text.split_once('=') {
        Some((name, uri)) if !name.trim().is_empty() && !uri.trim().is_empty() => {
            Ok(Attachment { name: name.trim().to_string(), uri: uri.trim().to_string() })
        }
        _ => Err(format!("`{text}` is not NAME=URI")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(arguments: &[&str]) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("quarray").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        assert_eq!(parse_bytes("400MB"), Ok(400_000_000));
        assert_eq!(parse_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("1.5 gb"), Ok(1_500_000_000));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        for wrong in ["", "GB", "12 parsecs", "-1MB", "0", "1e400", "nan"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn several_commands_files_and_attachments() {
        let args =
            read(&["a.sql", "-c", "SELECT 1", "-c", "SELECT 2", "--attach", "d=/x?a=b", "--format", "csv"]).unwrap();
        assert_eq!(args.commands, ["SELECT 1", "SELECT 2"]);
        assert_eq!(args.files, [PathBuf::from("a.sql")]);
        assert_eq!(args.attach, [Attachment { name: "d".into(), uri: "/x?a=b".into() }]);
        assert_eq!(args.format(), Format::Csv);
        assert!(args.has_work());
    }

    #[test]
    fn servers() {
        let server = |text: &str| read(&["--connect", text]).unwrap().connect.unwrap();
        assert_eq!(server("here:50051"), "here:50051");
        assert_eq!(server("grpc://127.0.0.1:1"), "127.0.0.1:1");
        assert_eq!(server("[::1]:7"), "[::1]:7");
        assert_eq!(server("grpcs://[::1]:7"), "grpcs://[::1]:7");
    }

    #[test]
    fn the_output_names_the_format() {
        assert_eq!(read(&[]).unwrap().format(), Format::Table);
        assert_eq!(read(&["-o", "a.txt"]).unwrap().format(), Format::Table);
        assert_eq!(read(&["-o", "a.Parquet"]).unwrap().format(), Format::Parquet);
        assert_eq!(read(&["-o", "a.parquet", "-f", "csv"]).unwrap().format(), Format::Csv);
    }

    #[test]
    fn wrong_command_lines_are_usage_errors() {
        for wrong in [
            &["--format", "xml"][..],
            &["--threads", "0"],
            &["--memory-limit", "lots"],
            &["--attach", "nameless"],
            &["--no-such-option"],
            &["--connect", "nowhere"],
            &["--connect", "a:1", "--executors", "2"],
            &["--user", "ada"],
        ] {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        assert_eq!(read(&["--help"]).unwrap_err().exit_code(), 0);
        assert_eq!(read(&["--version"]).unwrap_err().exit_code(), 0);
    }
}
