//! Drawings of known data: their sizes, that something is on them, and small ones character by character.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use quarray_engine::outcome::{Axis, AxisLabels, ColourOptions, MapSystem, MapUnits};

use super::*;
use crate::terminal::Style;

fn spec(chart: Chart) -> PlotSpec {
    PlotSpec { target: None, width: 8.0, height: 4.0, title: "Daily minimum".to_string(), chart }
}

fn wave(index: usize) -> f64 {
    let day = index as f64;
    15.0 + 6.0 * (day / 58.0).sin() + 1.5 * (day * 1.7).sin() + (day * 0.37).cos()
}

fn line_chart() -> Chart {
    let times = (0..365i64).map(|day| 1_262_347_200_000_000 + day * 86_400_000_000).collect();
    let values: Vec<f64> = (0..365).map(|day| if (200..220).contains(&day) { f64::NAN } else { wave(day) }).collect();
    let warmer = values.iter().map(|value| value + 8.0).collect();
    Chart::Line {
        x: Axis { label: "time".to_string(), labels: AxisLabels::Times(times) },
        y_label: "temperature [degrees C]".to_string(),
        series: vec![("tmin".to_string(), values), ("tmax".to_string(), warmer)],
    }
}

/// An island: `y` runs from north to south, as in most rasters.
fn heat_chart(columns: usize, rows: usize) -> Chart {
    let y: Vec<f64> = (0..rows).map(|row| 2_200_000.0 - row as f64 * 1000.0).collect();
    let x: Vec<f64> = (0..columns).map(|column| 500_000.0 + column as f64 * 1000.0).collect();
    let cell = |row: usize, column: usize| {
        let (down, across) = (row as f64 / rows as f64 - 0.4, column as f64 / columns as f64 - 0.5);
        let distance = (down * down + across * across).sqrt();
        if distance > 0.42 { f64::NAN } else { 25.0 - 40.0 * (0.42 - distance) + 2.0 * (across * 20.0).sin() }
    };
    let values = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    Chart::HeatMap {
        x: Axis { label: "x [m]".to_string(), labels: AxisLabels::Numbers(x) },
        y: Axis { label: "y [m]".to_string(), labels: AxisLabels::Numbers(y) },
        value_label: "tmin [degrees C]".to_string(),
        long_name: "daily minimum temperature".to_string(),
        colours: ColourOptions::default(),
        map: None,
        values: values.map(|(row, column)| cell(row, column)).collect(),
    }
}

/// A map of the world in degrees, from -60 to 60 around 0, with an outlier.
fn world_chart() -> Chart {
    let (latitudes, longitudes): (Vec<f64>, Vec<f64>) = (
        (0..37).map(|row| 90.0 - f64::from(row) * 5.0).collect(),
        (0..72).map(|column| f64::from(column) * 5.0).collect(),
    );
    let cell = |latitude: f64, longitude: f64| 60.0 * latitude.to_radians().sin() * longitude.to_radians().cos();
    let mut values: Vec<f64> =
        latitudes.iter().flat_map(|&y| longitudes.iter().map(move |&x| (y, x))).map(|(y, x)| cell(y, x)).collect();
    values[1000] = 1e4;
    Chart::HeatMap {
        x: Axis { label: "lon".to_string(), labels: AxisLabels::Numbers(longitudes) },
        y: Axis { label: "lat".to_string(), labels: AxisLabels::Numbers(latitudes) },
        value_label: "change [degrees C]".to_string(),
        long_name: "change since the day before".to_string(),
        values,
        colours: ColourOptions { robust: true, ..ColourOptions::default() },
        map: Some(MapSystem { name: "EPSG:4326".to_string(), units: MapUnits::Degrees }),
    }
}

/// The island on a projected map.
fn projected_chart() -> Chart {
    let mut chart = heat_chart(284, 384);
    if let Chart::HeatMap { x, y, map, .. } = &mut chart {
        *map = Some(MapSystem { name: "EPSG:32604".to_string(), units: MapUnits::Metres });
        (x.label, y.label) = ("x".to_string(), "y".to_string());
    }
    chart
}

fn histogram_chart() -> Chart {
    let edges: Vec<f64> = (0..=40).map(|edge| f64::from(edge) * 0.5 - 5.0).collect();
    let counts = (0..40).map(|bin| (1e6 * (-f64::from((bin - 18) * (bin - 18)) / 60.0).exp()) as u64).collect();
    Chart::Histogram { value_label: "tmin [degrees C]".to_string(), edges, counts }
}

fn charts() -> [(&'static str, Chart); 5] {
    [
        ("line", line_chart()),
        ("heat", heat_chart(284, 384)),
        ("world", world_chart()),
        ("projected", projected_chart()),
        ("histogram", histogram_chart()),
    ]
}

/// Where drawings go: a folder to look at when the environment names one.
fn folder() -> (Option<tempfile::TempDir>, std::path::PathBuf) {
    match std::env::var_os("QUARRAY_TEST_DRAWINGS") {
        Some(folder) => (None, folder.into()),
        None => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_path_buf();
            (Some(folder), path)
        }
    }
}

#[test]
fn png_files_have_their_size_and_many_colours() {
    let (_guard, folder) = folder();
    for (name, chart) in charts() {
        let path = folder.join(format!("{name}.png"));
        draw_file(&spec(chart), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((&bytes[1..4], number(16), number(20)), (&b"PNG"[..], 800, 400), "{name}");
        assert!(bytes.len() > 8_000, "{name}: {} bytes", bytes.len());
    }
}

#[test]
fn drawings_are_not_blank() {
    assert!(font::register());
    for (name, chart) in charts() {
        let mut pixels = vec![255; 800 * 400 * 3];
        {
            let mut backend = plotters::backend::BitMapBackend::with_buffer(&mut pixels, (800, 400));
            let mut canvas = canvas::BackendCanvas {
                backend: &mut backend,
                fineness: 1.0,
                text_scale: 1.0,
                base_line: 0.5,
                has_plain_strokes: true,
                images: None,
            };
            draw_chart(&mut canvas, (800.0, 400.0), &spec(chart)).unwrap();
        }
        let colours: HashSet<&[u8]> = pixels.chunks(3).collect();
        assert!(colours.len() > 20, "{name}: {} colours", colours.len());
    }
}

#[test]
fn svg_files_hold_their_words_and_pictures() {
    let (_guard, folder) = folder();
    for (name, chart) in charts() {
        let path = folder.join(format!("{name}.svg"));
        draw_file(&spec(chart), &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg width=\"800\" height=\"400\""), "{name}");
        assert!(text.contains("Daily minimum") && text.contains("degrees C"), "{name}");
        assert_eq!(text.contains("data:image/png;base64,"), !["line", "histogram"].contains(&name));
        let words = |expected: &[&str]| expected.iter().all(|word| text.contains(&format!("\n{word}\n")));
        match name {
            "heat" => assert!(words(&["daily minimum temperature (tmin) [degrees C]", "x [m]"]), "{text}"),
            "world" => assert!(words(&["lat", "lon", "60°S", "0°", "60°N", "45°E", "180°", "135°W"]), "{text}"),
            "projected" => assert!(words(&["x [km]", "y [km]", "2000", "EPSG:32604"]), "{text}"),
            _ => {}
        }
    }
}

#[test]
fn arrows_say_that_values_are_beyond() {
    let arrows = |chart: Chart| {
        let (_guard, folder) = folder();
        let path = folder.join("arrows.svg");
        draw_file(&spec(chart), &path).unwrap();
        std::fs::read_to_string(&path).unwrap().matches("<polygon").count()
    };
    assert_eq!((arrows(world_chart()), arrows(projected_chart())), (2, 0));
    let mut above = projected_chart();
    if let Chart::HeatMap { colours, .. } = &mut above {
        colours.max = Some(20.0);
    }
    assert_eq!(arrows(above), 1);
}

#[test]
fn nothing_to_draw_is_still_a_drawing() {
    let (_guard, folder) = folder();
    let axis = |labels| Axis { label: String::new(), labels };
    let empty = [
        Chart::Line { x: axis(AxisLabels::Times(vec![])), y_label: String::new(), series: vec![] },
        Chart::HeatMap {
            x: axis(AxisLabels::Numbers(vec![1.0])),
            y: axis(AxisLabels::Texts(vec!["a".to_string()])),
            value_label: String::new(),
            long_name: String::new(),
            values: vec![f64::NAN],
            colours: ColourOptions::default(),
            map: None,
        },
        Chart::Histogram { value_label: String::new(), edges: vec![], counts: vec![] },
    ];
    for (index, chart) in empty.into_iter().enumerate() {
        let spec = spec(chart);
        draw_file(&spec, &folder.join(format!("empty{index}.png"))).unwrap();
        draw_file(&spec, &folder.join(format!("empty{index}.svg"))).unwrap();
        draw_text(&spec, &Style::default());
    }
}

#[test]
fn other_names_and_sizes_are_errors() {
    let unknown = draw_file(&spec(line_chart()), Path::new("tmin.gif")).unwrap_err();
    assert_eq!(unknown.to_string(), "cannot draw to `tmin.gif`: expected a name that ends in .png or .svg");
    for width in [0.0, -1.0, f64::NAN, 1e9] {
        let spec = PlotSpec { width, ..spec(line_chart()) };
        assert!(matches!(draw_file(&spec, Path::new("tmin.png")), Err(PlotError::Size { .. })));
    }
}

fn check_text(chart: Chart, style: &Style, expected: &str) {
    let text = draw_text(&spec(chart), style);
    assert_eq!(text, expected, "got:\n{text}");
}

fn small() -> Style {
    Style { width: Some(40), height: Some(13), has_colour: false }
}

#[test]
fn a_line_in_the_terminal() {
    let numbers = (0..=20).map(f64::from).collect();
    let values = (0..=20).map(|x| f64::from(x * x)).collect();
    let chart = Chart::Line {
        x: Axis { label: "x".to_string(), labels: AxisLabels::Numbers(numbers) },
        y_label: "square".to_string(),
        series: vec![("square".to_string(), values)],
    };
    let expected = "\
Daily minimum
square
400 ┤                              ⢀⡠⠔⠊
    │                           ⢀⡠⠒⠁
    │                        ⣀⠔⠊⠁
200 ┤                   ⢀⡠⠔⠒⠉
    │            ⢀⣀⡠⠤⠒⠒⠉⠁
  0 ┤⣀⣀⣀⣀⡠⠤⠤⠤⠤⠔⠒⠉⠁
    └┬───────┬────────┬───────┬───────┬
     0       5       10      15      20
                     x
";
    check_text(chart, &small(), expected);
}

#[test]
fn a_heat_map_in_the_terminal() {
    let expected = "\
Daily minimum
y [m] (×10⁶)
2.20 ┤  █▓▓█▓▓
     │ ▓▓▒░▒▒▒█
     │ ▓▓░·░░▒█
     │ ▓▓▒░▒▒▒█
     │  █▓▓█▓▓
2.18 ┤
     └┬─────────
      500000
        x [m]
8.6 ·····░░░░░▒▒▒▒▓▓▓▓▓█████ 26.8  tmin [degrees C]
";
    check_text(heat_chart(20, 24), &small(), expected);
}

#[test]
fn a_map_in_the_terminal() {
    let expected = "\
Daily minimum
lat
90°N ┤████▓▒▒░░·······░▒▒▓▓███
     │███▓▓▒▒░░░·····░░▒▒▓▓▓██
     │▓▓▓▒▒▒▒▒▒░░░░░░▒▒▒▒▒▒█▓▓
  0° ┤░░░▒▒▒▒▒▒▓▓▓▓▓▓▒▒▒▒▒▒░░░
     │···░░▒▒▓▓▓█████▓▓▒▒░░░··
90°S ┤····░▒▒▓▓███████▓▒▒░░···
     └┬───────────┬───────────
      0°        180°
                lon
-56 <·····░░░░░▒▒▒▒▓▓▓▓▓█████> 56  change [degrees C]
";
    check_text(world_chart(), &small(), expected);
}

#[test]
fn a_histogram_in_the_terminal() {
    let expected = "\
Daily minimum
tmin [degrees C]
[-5.0, -1.5) │▋ 238808
 [-1.5, 2.0) │██████▊ 2575319
  [2.0, 5.5) │█████████████████ 6464589
  [5.5, 9.0) │██████████▎ 3879981
 [9.0, 12.5) │█▌ 548172
[12.5, 15.0] │16960
";
    check_text(histogram_chart(), &small(), expected);
}
