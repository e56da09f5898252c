//! A text in the user's editor.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Lets the user edit a text with `$VISUAL` or `$EDITOR`; answers what it has become.
pub fn edit(text: &str) -> Result<String, Failure> {
    let path = std::env::temp_dir().join(format!("quarray-{}.sql", std::process::id()));
    let wrong = |error| Failure::Output { path: path.display().to_string(), error };
    let file = Scratch(path.clone());
    // For its owner only, and never through a link that somebody else has put there.
    let _ = std::fs::remove_file(&path);
    let mut created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(wrong)?;
    writeln!(created, "{text}").map_err(wrong)?;
    drop(created);
    run_editor(&file.0)?;
    std::fs::read_to_string(&path).map_err(wrong)
}

/// A file that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run_editor(path: &Path) -> Result<(), Failure> {
    let named = |name: &str| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_string());
    // The variable may hold options: the shell takes it apart, the file's name stays whole.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Terminal(format!("the editor `{editor}` ended with {status}"))),
        Err(error) => Err(Failure::Terminal(format!("cannot start the editor `{editor}`: {error}"))),
    }
}
