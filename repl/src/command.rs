//! Runs the statements of files, of the command line and of standard input, until one fails.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use crate::args::{Args, Format};
use crate::deliver::Delivery;
use crate::failure::Failure;
use crate::output::OutputFile;
use crate::runner::{Interrupts, Runner};
use crate::shell;
use crate::terminal::Style;

/// Runs what the command line asks for; answers the exit status.
pub fn run(args: &Args) -> u8 {
    match run_all(args) {
        Ok(status) => status,
        Err(failure) => {
            report(&failure, "");
            failure.exit_code()
        }
    }
}

/// Prints a failure of a statement with that text.
pub(crate) fn report(failure: &Failure, text: &str) {
    let rendered = match failure {
        _ if failure.is_closed_output() => return,
        _ if failure.is_interrupt() => "cancelled\n".to_string(),
        _ => failure.render(text, &Style::of_stderr()),
    };
    // There is nowhere left to say that standard error is closed.
    let _ = std::io::stderr().lock().write_all(rendered.as_bytes());
}

fn run_all(args: &Args) -> Result<u8, Failure> {
    let is_shell = !args.has_work() && std::io::stdin().is_terminal();
    if args.format() == Format::Parquet && args.output.is_none() && !is_shell {
        return Err(Failure::Usage("--format parquet needs --output FILE".to_string()));
    }
    let runner = Runner::new(args)?;
    let status = match is_shell {
        true => shell::run(&runner, args)?,
        false => Batch::new(&runner, args)?.run(args)?,
    };
    runner.shut_down();
    Ok(status)
}

/// Statements that run one after the other, and the file that takes their results.
struct Batch<'a> {
    runner: &'a Runner,
    interrupts: Interrupts,
    format: Format,
    output: Option<OutputFile>,
}

/// The statement at fault has been told: what is left is to end with this status.
struct Stop(u8);

impl<'a> Batch<'a> {
    fn new(runner: &'a Runner, args: &Args) -> Result<Self, Failure> {
        let output = args.output.as_deref().map(OutputFile::create).transpose()?;
        Ok(Self { runner, interrupts: runner.interrupts(true)?, format: args.format(), output })
    }

    fn run(mut self, args: &Args) -> Result<u8, Failure> {
        for text in self.texts(args)? {
            if let Err(Stop(status)) = self.run_text(&text) {
                return Ok(status);
            }
        }
        self.output.map(OutputFile::commit).transpose()?;
        Ok(0)
    }

    /// Everything to run, read before the first statement does: a missing file is told at once.
    fn texts(&mut self, args: &Args) -> Result<Vec<String>, Failure> {
        if !args.has_work() {
            return Ok(vec![self.read(Path::new("-"))?]);
        }
        let mut texts = args.files.iter().map(|file| self.read(file)).collect::<Result<Vec<_>, _>>()?;
        texts.extend(args.commands.iter().cloned());
        Ok(texts)
    }

    fn run_text(&mut self, text: &str) -> Result<(), Stop> {
        for span in quarray_lang::split(text) {
            let statement = text.get(span.start..span.end).unwrap_or_default();
            self.run_statement(statement).map_err(|failure| {
                report(&failure, statement);
                Stop(failure.exit_code())
            })?;
        }
        Ok(())
    }

    fn run_statement(&mut self, statement: &str) -> Result<(), Failure> {
        let file = self.output.as_ref().map(OutputFile::slot).transpose()?;
        let delivery = Delivery { format: self.format, file };
        self.runner.run_statement(statement, delivery, &mut self.interrupts)?;
        Ok(())
    }

    fn read(&mut self, path: &Path) -> Result<String, Failure> {
        let name = path.to_path_buf();
        let read = move || match name.as_os_str() == "-" {
            true => {
                let mut text = String::new();
                std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
            }
            false => std::fs::read_to_string(name),
        };
        let path = path.display().to_string();
        self.runner.run_blocking(read, &mut self.interrupts)?.map_err(|error| Failure::Input { path, error })
    }
}
