//! On a terminal: editing, completion, history, commands, errors, cancelling and drawings.

use std::process::Command;
use std::time::{Duration, Instant};

use super::pty::Terminal;
use super::quarray;

pub const PROMPT: &str = "quarray> ";

pub fn start(command: Command) -> Terminal {
    let mut terminal = Terminal::start(command, 100);
    terminal.expect("for help");
    terminal.expect(PROMPT);
    terminal
}

/// Types a line at the prompt, waits for the answer and for the next prompt: what is typed in between may be lost, as
/// the editor takes the terminal over only then.
pub fn ask(terminal: &mut Terminal, line: &str, answers: &[&str]) -> String {
    terminal.type_keys(line);
    terminal.type_keys("\r");
    // The last drawing of the line is the one that the cursor leaves.
    let last_line = line.rsplit('\r').next().unwrap();
    terminal.expect(last_line);
    let mut seen = terminal.expect("\n");
    for answer in answers {
        seen.push_str(&terminal.expect(answer));
    }
    terminal.expect(PROMPT);
    seen
}

/// Ends the shell, which waits at a prompt that was expected: the end of input that is typed before it is lost.
pub fn leave(mut terminal: Terminal) {
    terminal.type_keys("\x04");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_statement_over_several_lines() {
    let mut terminal = start(quarray());
    ask(&mut terminal, "SELECT 40 + 2\rAS answer;", &["│ answer │", "│     42 │", "1 row"]);
    assert!(terminal.seen.contains("\x1b[34mSELECT\x1b[0m"), "no colours: {:?}", terminal.seen);
    leave(terminal);
}

#[test]
fn no_colours_where_they_are_not_wanted() {
    let mut command = quarray();
    command.env("NO_COLOR", "1");
    let mut terminal = start(command);
    ask(&mut terminal, "SELECT 1 AS a;", &["1 row"]);
    ask(&mut terminal, "SELEC 2;", &["error: "]);
    assert!(!terminal.seen.contains("\x1b[3") && !terminal.seen.contains("\x1b[1"), "{:?}", terminal.seen);
    leave(terminal);
}

#[test]
fn an_error_points_at_its_place_and_the_shell_goes_on() {
    let mut terminal = start(quarray());
    ask(&mut terminal, "SELECT * FROMM x;", &["error: ", "1 | SELECT * FROMM x", "^^^^^"]);
    ask(&mut terminal, "SELECT 'still here' AS s;", &["│ still here │"]);
    leave(terminal);
}

#[test]
fn tab_completes_words_and_names() {
    let mut terminal = start(quarray());
    ask(&mut terminal, "CREATE VIEW temperatures AS SELECT 21 AS celsius;", &[]);
    terminal.type_keys("SELECT * FROM tempera\t;\r");
    terminal.expect("│ celsius │");
    terminal.expect(PROMPT);
    terminal.type_keys("\\form\t");
    terminal.expect("\\format");
    ask(&mut terminal, " csv", &[]);
    ask(&mut terminal, "SELECT 7 AS lucky;", &["lucky\r\n7\r\n"]);
    leave(terminal);
}

#[test]
fn history_outlives_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("state/quarray-history");
    let with_history = || {
        let mut command = quarray();
        command.env("QUARRAY_HISTORY", &history);
        command
    };
    let mut terminal = start(with_history());
    ask(&mut terminal, "SELECT 11 * 11 AS square;", &["│    121 │"]);
    leave(terminal);
    assert!(std::fs::read_to_string(&history).unwrap().contains("SELECT 11 * 11 AS square;"));
    let mut terminal = start(with_history());
    terminal.type_keys("\x1b[A\r");
    terminal.expect("│    121 │");
    terminal.expect(PROMPT);
    leave(terminal);
}

#[test]
fn ctrl_c_clears_a_line_and_cancels_a_query() {
    let mut terminal = start(quarray());
    terminal.type_keys("SELECT oops\x03");
    terminal.expect("oops");
    terminal.expect(PROMPT);
    terminal
        .type_keys("SELECT count(*) FROM range(0, 10000000) a, range(0, 10000000) b WHERE a.value + b.value = 17;\r");
    terminal.expect("17;");
    std::thread::sleep(Duration::from_millis(700));
    let asked = Instant::now();
    terminal.type_keys("\x03");
    terminal.expect("cancelled");
    terminal.expect(PROMPT);
    assert!(asked.elapsed() < Duration::from_secs(20));
    ask(&mut terminal, "SELECT 'alive' AS s;", &["│ alive │"]);
    leave(terminal);
}

#[test]
fn commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("more.sql"), "SELECT 5 AS five; SELECT 6 AS six;").unwrap();
    let mut terminal = start(quarray());
    ask(&mut terminal, "\\?", &["\\timing"]);
    ask(&mut terminal, "\\timing", &["timing is on"]);
    ask(&mut terminal, &format!("\\i {}", path("more.sql")), &["│ five │", "time: 0.", "│ six │", "time: "]);
    ask(&mut terminal, "\\format csv", &[]);
    ask(&mut terminal, &format!("\\o {}", path("out.csv")), &[]);
    ask(&mut terminal, "SELECT 9 AS nine;", &["time: "]);
    assert!(!std::path::Path::new(&path("out.csv")).exists());
    ask(&mut terminal, "\\o", &[]);
    assert_eq!(std::fs::read_to_string(path("out.csv")).unwrap(), "nine\n9\n");
    ask(&mut terminal, "\\nonsense", &["no command `\\nonsense`"]);
    ask(&mut terminal, "\\d nothing_of_that_name", &["error: "]);
    terminal.type_keys("\\q\r");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn the_last_statement_in_an_editor() {
    let mut command = quarray();
    command.env("EDITOR", "sed -i s/apples/pears/");
    let mut terminal = start(command);
    ask(&mut terminal, "SELECT 'apples' AS fruit;", &["│ apples │"]);
    ask(&mut terminal, "\\e", &["SELECT 'pears' AS fruit;", "│ pears │"]);
    terminal.type_keys("\x1b[A");
    terminal.expect("SELECT 'pears' AS fruit;");
    terminal.type_keys("\x03");
    terminal.expect(PROMPT);
    leave(terminal);
}

#[test]
fn wide_results_are_cut_to_the_terminal() {
    let mut terminal = start(quarray());
    let columns: Vec<String> = (0..40).map(|index| format!("{index} AS column{index}")).collect();
    terminal.type_keys(&format!("SELECT {};\r", columns.join(", ")));
    let shown = terminal.expect("1 row");
    assert!(shown.contains("│ … │") && shown.contains("│ column39 │"), "{shown}");
    terminal.expect(PROMPT);
    leave(terminal);
}
