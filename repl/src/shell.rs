//! The interactive shell: reads a statement or a command, carries it out, and asks again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quarray_engine::error::Error;
use quarray_engine::session::TableListing;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, CompletionType, Config, Editor};

use crate::any_session::AnySession;
use crate::args::{Args, Format};
use crate::command::report;
use crate::deliver::Delivery;
use crate::editor::edit;
use crate::failure::Failure;
use crate::helper::ShellHelper;
use crate::history::history_path;
use crate::meta::{HELP, MetaCommand, format_name, is_command};
use crate::output::OutputFile;
use crate::print::{print_columns, print_summary};
use crate::runner::Runner;
use crate::terminal::{Style, print_text, tell};

/// Runs the shell until its user leaves; answers the exit status.
pub fn run(runner: &Runner, args: &Args) -> Result<u8, Failure> {
    let output = args.output.as_deref().map(OutputFile::create).transpose()?;
    let mut shell = Shell { runner, format: args.format(), output, has_timing: false, last_statement: String::new() };
    let mut prompt = Prompt::new(runner)?;
    tell(concat!("quarray ", env!("CARGO_PKG_VERSION"), ", \\? for help"));
    loop {
        let text = match prompt.read() {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Failure::Terminal(error.to_string())),
        };
        prompt.remember(&text);
        match shell.carry_out(&text) {
            Next::Ask => {}
            Next::Remember(edited) => prompt.remember(&edited),
            Next::Leave => break,
        }
    }
    shell.output.map(OutputFile::commit).transpose()?;
    Ok(0)
}

/// What to do after a statement or command.
enum Next {
    Ask,
    /// Another statement was run that history should know of.
    Remember(String),
    Leave,
}

struct Shell<'a> {
    runner: &'a Runner,
    format: Format,
    output: Option<OutputFile>,
    has_timing: bool,
    last_statement: String,
}

impl Shell<'_> {
    fn carry_out(&mut self, text: &str) -> Next {
        let done = match is_command(text) {
            true => match MetaCommand::parse(text) {
                Ok(MetaCommand::Quit) => return Next::Leave,
                Ok(MetaCommand::Edit) => return self.edit(),
                Ok(command) => self.command(command),
                Err(message) => Err(Failure::Usage(message)),
            },
            false => {
                self.run_text(text);
                Ok(())
            }
        };
        if let Err(failure) = done {
            report(&failure, text);
        }
        Next::Ask
    }

    /// Runs the statements of a text until one fails.
    fn run_text(&mut self, text: &str) {
        for span in quarray_lang::split(text) {
            let statement = text.get(span.start..span.end).unwrap_or_default();
            self.last_statement = format!("{statement};");
            match self.run_statement(statement) {
                Ok(elapsed) if self.has_timing => tell(&format!("time: {:.3} s", elapsed.as_secs_f64())),
                Ok(_) => {}
                Err(failure) => return report(&failure, statement),
            }
        }
    }

    fn run_statement(&self, statement: &str) -> Result<Duration, Failure> {
        if self.format == Format::Parquet && self.output.is_none() {
            return Err(Failure::Usage("parquet is not for terminals; name a file with \\o FILE".to_string()));
        }
        let file = self.output.as_ref().map(OutputFile::slot).transpose()?;
        let delivery = Delivery { format: self.format, file };
        // New for each statement: a Ctrl-C of earlier is not meant for this one.
        let mut interrupts = self.runner.interrupts(false)?;
        self.runner.run_statement(statement, delivery, &mut interrupts)
    }

    fn command(&mut self, command: MetaCommand) -> Result<(), Failure> {
        match command {
            MetaCommand::List => print_text(&list(&self.tables()?)),
            MetaCommand::Describe(name) => self.describe(name)?,
            MetaCommand::Timing => {
                self.has_timing = !self.has_timing;
                tell(if self.has_timing { "timing is on" } else { "timing is off" });
            }
            MetaCommand::Format(None) => tell(&format!("format is {}", format_name(self.format))),
            MetaCommand::Format(Some(format)) => self.format = format,
            MetaCommand::Output(path) => self.redirect(path.as_deref())?,
            MetaCommand::Include(path) => {
                let read = std::fs::read_to_string(&path);
                let text = read.map_err(|error| Failure::Input { path, error })?;
                self.run_text(&text);
            }
            MetaCommand::Help => print_text(HELP),
            MetaCommand::Edit | MetaCommand::Quit => {}
        }
        Ok(())
    }

    fn tables(&self) -> Result<Vec<TableListing>, Failure> {
        self.runner.run(|session| async move { Ok(session.tables().await?) }, &mut self.runner.interrupts(false)?)
    }

    fn describe(&self, name: String) -> Result<(), Failure> {
        let known = self.tables()?.into_iter().find(|table| table.name == name);
        let mut interrupts = self.runner.interrupts(false)?;
        let described = self.runner.run(|session| async move { Ok(session.describe(&name).await?) }, &mut interrupts);
        match (described, known) {
            (Ok(summary), _) => print_text(&print_summary(&summary, &Style::of_stdout())),
            (Err(failure @ Failure::Query(Error::Cancelled)), _) | (Err(failure), None) => return Err(failure),
            (Err(_), Some(table)) => {
                let name = table.name.replace('"', "\"\"");
                let columns = |session: AnySession| async move {
                    let rows = session.query(&format!("SELECT * FROM \"{name}\" LIMIT 0")).await?.into_rows()?;
                    Ok((rows.schema(), rows.dimensions))
                };
                let (schema, dimensions) = self.runner.run(columns, &mut interrupts)?;
                print_text(&print_columns(&table, &schema, &dimensions));
            }
        }
        Ok(())
    }

    fn redirect(&mut self, path: Option<&str>) -> Result<(), Failure> {
        if let Some(output) = self.output.take() {
            output.commit()?;
        }
        self.output = path.map(|path| OutputFile::create(Path::new(path))).transpose()?;
        Ok(())
    }

    fn edit(&mut self) -> Next {
        match edit(&self.last_statement) {
            Ok(text) if !text.trim().is_empty() => {
                let text = text.trim().to_string();
                tell(&text);
                self.run_text(&text);
                Next::Remember(text)
            }
            Ok(_) => Next::Ask,
            Err(failure) => {
                report(&failure, "");
                Next::Ask
            }
        }
    }
}

/// The line editor with its history.
struct Prompt {
    editor: Editor<ShellHelper, FileHistory>,
    history: Option<PathBuf>,
    text: (&'static str, &'static str),
}

impl Prompt {
    fn new(runner: &Runner) -> Result<Self, Failure> {
        let style = Style::of_stdout();
        let behavior = if style.is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
        let config = Config::builder().completion_type(CompletionType::List).behavior(behavior).build();
        let mut editor = Editor::with_config(config).map_err(|error| Failure::Terminal(error.to_string()))?;
        editor.set_helper(Some(ShellHelper::new(runner.session().clone(), style.has_colour)));
        let history = history_path();
        if let Some(path) = &history {
            if let Some(folder) = path.parent() {
                let _ = std::fs::create_dir_all(folder);
            }
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        let styled = if style.has_colour { "\x1b[1;32mquarray>\x1b[0m " } else { "quarray> " };
        Ok(Self { editor, history, text: ("quarray> ", styled) })
    }

    fn read(&mut self) -> Result<String, ReadlineError> {
        self.editor.readline(&self.text)
    }

    /// A history that cannot be written is no reason to stop.
    fn remember(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let _ = self.editor.add_history_entry(text);
        if let Some(path) = &self.history {
            let _ = self.editor.append_history(path);
        }
    }
}

fn list(tables: &[TableListing]) -> String {
    if tables.is_empty() {
        return "nothing is attached; ATTACH 'path-or-url' AS name\n".to_string();
    }
    let width = tables.iter().map(|table| table.name.chars().count()).max().unwrap_or(0);
    let line = |table: &TableListing| {
        let padding = " ".repeat(width - table.name.chars().count());
        let of_kind = |kind: &str| {
            let names = table.columns.iter().filter(|column| column.1 == kind).map(|column| column.0.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let content = match of_kind("dimension") {
            dimensions if dimensions.is_empty() => of_kind("column"),
            dimensions => format!("({dimensions}) {}", of_kind("variable")),
        };
        format!("{}{padding}  {:<7}  {content}\n", table.name, table.kind)
    };
    tables.iter().map(line).collect()
}
