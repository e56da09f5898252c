//! A dataset on a terminal: its summary, its names completed, large results cut.

use super::pty::Terminal;
use super::session::{PROMPT, ask, leave, start};
use super::{STORE, quarray};

/// A shell with the store attached.
pub fn with_climate() -> Terminal {
    let mut command = quarray();
    command.args(["--attach", &format!("climate={STORE}")]);
    start(command)
}

#[test]
fn a_summary_of_a_dataset() {
    let mut terminal = with_climate();
    let list = ask(&mut terminal, "\\d", &["pr, tas"]);
    assert!(list.contains("climate  dataset  (time, latitude, longitude) pr, tas"), "{list}");
    let expected = "Dimensions: (time: 12, latitude: 33, longitude: 81)\r\n\
        Coordinates:\r\n  \
          * time       (time)       timestamp  96 B   1999-01-31 1999-02-28 … 1999-11-30 1999-12-31\r\n  \
          * latitude   (latitude)   float32    132 B  33.0625 33.1875 … 36.9375 37.0625  [degrees_north]\r\n  \
          * longitude  (longitude)  float32    324 B  -84.9375 -84.8125 … -75.0625 -74.9375  [degrees_east]\r\n\
        Data variables:\r\n    \
            pr   (time, latitude, longitude)  float32  128 kB  [mm/m]  chunks (12, 33, 81)  zstd(1)\r\n    \
            tas  (time, latitude, longitude)  float32  128 kB  [C]  chunks (12, 33, 81)  zstd(1)\r\n\
        Attributes: (12 of 30)\r\n";
    for question in ["\\d climate", "FROM climate;", &format!("\\d {STORE}"), &format!("FROM '{STORE}';")] {
        let shown = ask(&mut terminal, question, &["title: "]);
        assert!(shown.contains(expected), "{question}:\n{shown}");
    }
    leave(terminal);
}

#[test]
fn the_columns_of_a_view() {
    let mut terminal = with_climate();
    ask(&mut terminal, "LET warm = FROM climate |> REDUCE max(tas) AS top ALONG time;", &["created warm"]);
    let shown = ask(&mut terminal, "\\d warm", &["[C]"]);
    let expected = "warm (view)\r\nDimensions: (latitude, longitude)\r\nColumns:\r\n  \
        * latitude   float32  [degrees_north]\r\n  * longitude  float32  [degrees_east]\r\n    top        float32  [C]";
    assert!(shown.contains(expected), "{shown}");
    leave(terminal);
}

#[test]
fn names_of_every_kind_are_completed() {
    let mut terminal = with_climate();
    // What is typed, and what the line becomes.
    for (keys, line) in [
        ("FRO\t cli\t", "FROM climate"),
        ("FROM climate[ti\t", "FROM climate[time"),
        ("FROM climate |> REDU\t", "FROM climate |> REDUCE"),
        ("FROM climate |> REDUCE avg(climate.ta\t", "FROM climate |> REDUCE avg(climate.tas"),
        ("FROM climate |> REDUCE avg(tas) ALONG la\t", "FROM climate |> REDUCE avg(tas) ALONG latitude"),
        ("FROM climate |> REDUCE approx_med\t", "FROM climate |> REDUCE approx_median"),
        ("\\d cl\t", "\\d climate"),
    ] {
        terminal.type_keys(keys);
        terminal.expect(&format!("{PROMPT}{line}"));
        terminal.type_keys("\x03");
        terminal.expect("\n");
        terminal.expect(PROMPT);
    }
    // Where several names go on alike, a second Tab lists them.
    terminal.type_keys("FROM climate |> RE\t\t");
    for verb in ["RECHUNK", "REDUCE", "RENAME", "RESAMPLE"] {
        terminal.expect(verb);
    }
    // The line is drawn again below the list, before it is given up.
    terminal.expect(&format!("{PROMPT}FROM climate |> RE"));
    terminal.type_keys("\x03");
    terminal.expect("\n");
    terminal.expect(PROMPT);
    leave(terminal);
}

#[test]
fn a_large_result_keeps_its_head_in_sight() {
    let mut terminal = with_climate();
    let shown =
        ask(&mut terminal, "FROM climate |> SELECT time, latitude, longitude, tas;", &["32,076 rows (30 shown)"]);
    assert!(shown.contains("tas[time: 12, latitude: 33, longitude: 81] C\r\n"), "{shown}");
    assert!(shown.contains("│ ⋮") && shown.lines().count() < 40, "{shown}");
    leave(terminal);
}
