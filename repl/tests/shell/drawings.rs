//! `PLOT` on a terminal and to files, from the statement to the picture.

use std::process::{Output, Stdio};

use super::datasets::with_climate;
use super::session::{ask, leave};
use super::{STORE, quarray};

#[test]
fn a_line_a_map_and_a_histogram_on_the_terminal() {
    let mut terminal = with_climate();
    let line = "FROM climate |> REDUCE avg(tas) ALONG latitude, longitude |> PLOT WITH (title = 'Mean');";
    let shown =
        ask(&mut terminal, line, &["Mean\r\n", "tas [C]\r\n", "20.0 ┤", "10.0 ┤", "└", "Feb", "Dec", "1999", "time"]);
    assert!(shown.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "no line:\n{shown}");
    let map = "FROM climate[time[6]] |> SELECT latitude, longitude, tas |> PLOT;";
    let shown = ask(&mut terminal, map, &["latitude\r\n", "36°N ┤", "34°N ┤", "80°W", "longitude\r\n", "tas [C]"]);
    assert!(shown.contains("▀▀▀▀▀") && terminal.seen.contains("\x1b[38;5;"), "no map:\n{shown}");
    let histogram =
        "FROM climate |> SELECT time, latitude, longitude, tas |> PLOT WITH (kind = 'histogram', bins = 4);";
    let shown = ask(&mut terminal, histogram, &["tas [C]\r\n", "29.4] │"]);
    assert!(shown.contains('█'), "no bars:\n{shown}");
    ask(
        &mut terminal,
        "FROM climate |> MASK tas > 1000 |> REDUCE avg(tas) ALONG latitude, longitude |> PLOT;",
        &["no values"],
    );
    ask(
        &mut terminal,
        "FROM climate |> SELECT time, latitude, longitude, tas |> PLOT;",
        &["found 3: [time, latitude, longitude]", "help: "],
    );
    leave(terminal);
}

fn run(queries: &[String]) -> Output {
    let mut command = quarray();
    command.args(["--attach", &format!("climate={STORE}")]).stdin(Stdio::null());
    for query in queries {
        command.args(["-c", query]);
    }
    command.output().unwrap()
}

/// Every shape of result, with the words that have to be on its drawing.
const DRAWINGS: [(&str, &str, &[&str]); 9] = [
    ("line", "REDUCE avg(tas) ALONG latitude, longitude", &["tas [C]", "time", "Feb", "1999"]),
    ("lines", "REDUCE avg(tas), avg(pr) ALONG latitude, longitude", &["tas [C], pr [mm/m]", "time"]),
    ("map", "REDUCE avg(tas) ALONG time", &["monthly_avg_tas (tas) [C]", "latitude", "longitude", "34°N", "80°W"]),
    (
        "turned",
        "REDUCE avg(tas) AS t ALONG time |> SELECT longitude, latitude, t |> ORDER BY longitude, latitude",
        &["t [C]", "34°N", "80°W"],
    ),
    ("times", "REDUCE avg(tas) ALONG latitude", &["time", "Apr 1999", "Jan 2000", "longitude [degrees_east]"]),
    (
        "one",
        "SELECT time, latitude, longitude, tas |> WHERE time = '1999-04-30' |> AGGREGATE avg(tas) AS tas GROUP BY time",
        &["1999-04-30", "tas [C]"],
    ),
    ("gaps", "MASK tas > 12 |> REDUCE avg(tas) ALONG longitude, latitude", &["tas [C]"]),
    ("missing", "MASK tas > 1000 |> REDUCE avg(tas) ALONG time", &["no values", "latitude", "36°N"]),
    ("none", "SELECT time, tas |> WHERE tas > 1000", &["no values", "tas [C]"]),
];

#[test]
fn files_of_every_shape_of_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, extension: &str| folder.path().join(format!("{name}.{extension}")).display().to_string();
    let statement = |(name, steps, _): &(&str, &str, &[&str]), extension: &str| {
        let options = "WITH (width = 7, height = 3.5, title = 'A title')";
        format!("FROM climate |> {steps} |> PLOT TO '{}' {options}", path(name, extension))
    };
    let queries: Vec<String> =
        DRAWINGS.iter().flat_map(|drawing| [statement(drawing, "png"), statement(drawing, "svg")]).collect();
    let output = run(&queries);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{stderr}");
    assert_eq!(stderr.matches("wrote ").count(), 2 * DRAWINGS.len(), "{stderr}");
    for (name, _, words) in DRAWINGS {
        let png = std::fs::read(path(name, "png")).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((&png[..4], number(16), number(20)), (&b"\x89PNG"[..], 700, 350), "{name}");
        let svg = std::fs::read_to_string(path(name, "svg")).unwrap();
        assert!(svg.starts_with("<svg width=\"700\" height=\"350\"") && svg.contains("A title"), "{name}");
        let text = texts(&svg);
        assert!(words.iter().all(|word| text.iter().any(|text| text == word)), "{name}: {text:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2 * DRAWINGS.len());
}

/// The words on a drawing.
fn texts(svg: &str) -> Vec<String> {
    let of_element = |rest: &str| {
        let (_, rest) = rest.split_once('>')?;
        rest.split_once("</text>").map(|(text, _)| text.trim().to_string())
    };
    svg.split("<text").skip(1).filter_map(of_element).collect()
}

#[test]
fn drawings_that_cannot_be_made_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (target, expected) in [
        (path("a.gif"), "expected a name that ends in .png or .svg"),
        (path("no/folder.png"), "cannot write the drawing: "),
        (path("a.png' WITH (width = 0.1, title = 'x"), "width: expected 1 to 100 inches, found 0.1"),
    ] {
        let close = if target.contains("title") { "')" } else { "'" };
        let query = format!("FROM climate |> REDUCE avg(tas) ALONG latitude, longitude |> PLOT TO '{target}{close}");
        let output = run(&[query]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
