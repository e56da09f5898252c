//! What standard output and standard error are: terminals or not, how wide, coloured or not.

use std::io::{IsTerminal, Write};

/// How text for people is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Style {
    /// Columns of the terminal; `None` when it is not one.
    pub width: Option<usize>,
    /// Lines of the terminal.
    pub height: Option<usize>,
    /// Whether escape sequences for colours are wanted.
    pub has_colour: bool,
}

impl Style {
    /// Of standard output, now: windows change their size.
    pub fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal(), libc::STDOUT_FILENO)
    }

    /// Of standard error, now.
    pub fn of_stderr() -> Self {
        Self::of(std::io::stderr().is_terminal(), libc::STDERR_FILENO)
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// The text in a colour or weight given by its escape code (`1` is bold), where colours are wanted.
    pub fn paint(&self, code: &str, text: &str) -> String {
        match self.has_colour && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }

    fn of(is_terminal: bool, descriptor: i32) -> Self {
        if !is_terminal {
            return Self::default();
        }
        let (width, height) = window_size(descriptor).unwrap_or((80, 24));
        Self { width: Some(width), height: Some(height), has_colour: wants_colour() }
    }
}

/// Prints text to standard output. A reader that has gone away is no reason to stop, or worse, to panic.
pub fn print_text(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints a line to standard error.
pub fn tell(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// See <https://no-color.org>: any value but an empty one turns colours off.
fn wants_colour() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !is_off && !is_dumb
}

fn window_size(descriptor: i32) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address it is given, which is that of a live local.
    let answer = unsafe { libc::ioctl(descriptor, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row).max(1)))
}
