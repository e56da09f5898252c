//! Passwords from the keyboard, which do not show, or from standard input.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::fd::AsRawFd;

use quarray_distributed::serve::security::PASSWORD_BYTES_MAX;

use crate::failure::Failure;

/// Asks for a password; without a terminal it is the first line of standard input.
pub fn read_password(prompt: &str) -> Result<String, Failure> {
    match OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(terminal) if std::io::stdin().is_terminal() => ask(terminal, prompt),
        _ => line_of_stdin(),
    }
}

/// Asks for a new password: twice, so that it is the one that was meant.
pub fn read_new_password(name: &str) -> Result<String, Failure> {
    let first = read_password(&format!("Password of {name}: "))?;
    if std::io::stdin().is_terminal() && read_password("The same again: ")? != first {
        return Err(Failure::Usage("the passwords are not the same".to_string()));
    }
    Ok(first)
}

fn line_of_stdin() -> Result<String, Failure> {
    let wrong = |error| Failure::Input { path: "the password".to_string(), error };
    let mut line = String::new();
    // A line without end is no password.
    let mut input = std::io::stdin().lock().take(2 * PASSWORD_BYTES_MAX as u64);
    input.read_line(&mut line).map_err(wrong)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_string())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent {
    terminal: File,
    before: libc::termios,
}

impl Silent {
    fn begin(terminal: File) -> std::io::Result<Self> {
        // SAFETY: a structure of numbers, of which zero is one.
        let mut before: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, and the structure lives until the call returns.
        if unsafe { libc::tcgetattr(terminal.as_raw_fd(), &mut before) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        let mut silent = before;
        // Keys come one by one, Ctrl-C too: nothing ends the program while the terminal is silent.
        silent.c_lflag &= !(libc::ECHO | libc::ICANON | libc::ISIG);
        // SAFETY: as above.
        if unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSAFLUSH, &silent) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open, and the structure is what the terminal had.
        unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSAFLUSH, &self.before) };
        let _ = self.terminal.write_all(b"\n");
    }
}

fn ask(mut terminal: File, prompt: &str) -> Result<String, Failure> {
    let wrong = |error: std::io::Error| Failure::Terminal(format!("cannot read a password: {error}"));
    terminal.write_all(prompt.as_bytes()).map_err(wrong)?;
    let mut silent = Silent::begin(terminal).map_err(wrong)?;
    let mut typed = Vec::new();
    loop {
        let mut key = [0];
        if silent.terminal.read(&mut key).map_err(wrong)? == 0 {
            break;
        }
        match key[0] {
            b'\r' | b'\n' | 0x04 => break,
            0x03 => return Err(Failure::Query(quarray_engine::Error::Cancelled)),
            0x7f | 0x08 => {
                // A character may have several bytes.
                while typed.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {}
            }
            0x15 => typed.clear(),
            byte if typed.len() < PASSWORD_BYTES_MAX => typed.push(byte),
            _ => {}
        }
    }
    String::from_utf8(typed).map_err(|_| Failure::Terminal("the password is not UTF-8".to_string()))
}
