//! Programs that measure Quarray beside its peers.

mod answers;
mod compare;
mod error;
mod executors;
mod latency;
mod planning;
mod process;
mod server;
mod setting;
mod small_chunks;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::TypedValueParser;
use clap::{Parser, Subcommand, value_parser};

/// Measures Quarray beside its peers.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs array queries alternately by Quarray, Dask, the best other peers and the physical limit; prints a table.
    Compare(Comparison),
    /// Opens, plans and prunes a store with a million chunks.
    Planning(Rounds),
    /// Reads 20,000 chunks of 50 KB.
    SmallChunks(Rounds),
    /// Reads behind a server that waits before each answer.
    Latency(Rounds),
    /// Asks one session in turns in its process and on two executors; a round is a pair of answers.
    Executors(Rounds),
    /// Compares the answers of the ten queries on executors with those of one process.
    Answers {
        /// Where the data are, and are put when they are not there.
        #[arg(long, env = "QUARRAY_BENCH_DATA")]
        data: Option<PathBuf>,
    },
}

/// How often, and where.
#[derive(Debug, clap::Args)]
struct Rounds {
    /// How often each program is run.
    #[arg(long, default_value_t = 5, value_parser = at_least_one())]
    rounds: usize,
    /// Where the data are, and are put when they are not there.
    #[arg(long, env = "QUARRAY_BENCH_DATA")]
    data: Option<PathBuf>,
}

/// What is compared.
#[derive(Debug, Clone, clap::Args)]
pub struct Comparison {
    /// The queries (files of `benches/queries`); all of them by default.
    pub queries: Vec<String>,
    /// Years of daily data: 5 are 1.2 GB a variable, decoded; 41 are the real size.
    #[arg(long, default_value_t = 5)]
    pub years: usize,
    /// How often each query is run by each program.
    #[arg(long, default_value_t = 5, value_parser = at_least_one())]
    pub rounds: usize,
    /// Where the data and the peers are, and are put when they are not there.
    #[arg(long, env = "QUARRAY_BENCH_DATA")]
    pub data: Option<PathBuf>,
    /// Quarray alone, without its peers.
    #[arg(long)]
    pub alone: bool,
    /// Whether every value is compared with xarray's, in double precision.
    #[arg(long)]
    pub check: bool,
}

/// Of no round there are no figures.
fn at_least_one() -> impl TypedValueParser<Value = usize> {
    value_parser!(u32).range(1..).map(|rounds| rounds as usize)
}

fn main() -> ExitCode {
    let measured = match Arguments::parse().command {
        Command::Compare(comparison) => compare::compare(&comparison),
        Command::Planning(Rounds { rounds, data }) => planning::planning(data.as_deref(), rounds),
        Command::SmallChunks(Rounds { rounds, data }) => small_chunks::small_chunks(data.as_deref(), rounds),
        Command::Latency(Rounds { rounds, data }) => latency::latency(data.as_deref(), rounds),
        Command::Answers { data } => answers::answers(data.as_deref()),
        Command::Executors(Rounds { rounds, data }) => executors::executors(data.as_deref(), rounds),
    };
    match measured {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
