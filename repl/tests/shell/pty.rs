//! A terminal for a test to type on.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A program on a terminal of its own.
pub struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// Everything that the program has written, as it came.
    pub seen: String,
    /// The same in bytes: a character may come in two pieces.
    bytes: Vec<u8>,
    /// Where in `seen` the next expectation starts.
    place: usize,
    child: Child,
}

/// Long enough for a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl Terminal {
    /// Starts the program on a terminal of that many columns.
    pub fn start(mut command: Command, columns: u16) -> Self {
        let (keyboard, screen) = open_terminal(columns);
        let end = |screen: &OwnedFd| screen.try_clone().unwrap();
        command.stdin(end(&screen)).stdout(end(&screen)).stderr(end(&screen)).env("TERM", "xterm-256color");
        // SAFETY: only `setsid` and `ioctl` run between fork and exec, and both may.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        drop(screen);
        // The command holds the terminal's other end too: with it gone, the end of the program is the end of the file.
        drop(command);
        let (sender, receiver) = channel();
        let mut reader = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen: receiver, seen: String::new(), bytes: Vec::new(), place: 0, child }
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the text is written after what was last expected; answers what was written up to its end, without
    /// escape sequences.
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let plain = without_escapes(&self.seen);
            let rest = plain.get(self.place..).unwrap_or_default();
            if let Some(at) = rest.find(text) {
                let end = self.place + at + text.len();
                let passed = plain[self.place..end].to_string();
                self.place = end;
                return passed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(piece) => {
                    self.bytes.extend(piece);
                    self.seen = whole_characters(&self.bytes);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("expected {text:?}; the screen after the last expectation:\n{rest}");
                }
            }
        }
    }

    /// Waits for the program to end.
    pub fn end(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running; the screen:\n{}", without_escapes(&self.seen));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_terminal(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let mut size = libc::winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `openpty` writes two descriptors to live locals, and reads the size from one.
    let answer = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null_mut(), &raw mut size)
    };
    assert_eq!(answer, 0, "no terminal");
    // SAFETY: both are new descriptors that nobody else owns.
    let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    // SAFETY: sets a flag of our own descriptor: the child has no use for it.
    unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    (File::from(ours), theirs)
}

/// The text of bytes, without a character at the end that is still to be completed.
fn whole_characters(bytes: &[u8]) -> String {
    let is_cut = std::str::from_utf8(bytes).err().filter(|error| error.error_len().is_none());
    String::from_utf8_lossy(&bytes[..is_cut.map_or(bytes.len(), |error| error.valid_up_to())]).into_owned()
}

/// The text that is left when colours and movements of the cursor are taken out. An unfinished sequence at the end
/// waits for its rest.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\x1b' {
            plain.push(character);
            continue;
        }
        if characters.next_if_eq(&'[').is_some() {
            while characters.next().is_some_and(|c| !c.is_ascii_alphabetic() && c != '~') {}
        }
    }
    plain
}
