//! The examples of the language as they are written, over small stores of the names in them, each answer by its
//! definition.

use quarray_engine::Session;
use tempfile::TempDir;

use crate::answer::{Answer, Cell};
use crate::reference::{civil, date};
use crate::run::{ALL_SETTINGS, Ending, attach, run};
use crate::store::{ArrayToWrite, Stored, indexes, offset, write_store};

const DAYS: usize = 200;
/// 2019-12-20, counted from 1970-01-01.
const FIRST_DAY: f64 = 18_250.0;
const LATS: [f64; 5] = [90.0, 60.0, 51.25, 30.0, 0.0];
const LONS: [f64; 8] = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
const LEVELS: [f64; 3] = [500.0, 850.0, 1000.0];
const STATIONS: [(&str, f64, f64); 3] = [("kew", 51.5, -0.3), ("oslo", 59.9, 4.8), ("pole", 88.0, 0.2)];

/// A variable: its dimensions, and its value at an index.
type Variable = (&'static str, &'static [&'static str], fn(&[usize]) -> Option<f64>);

const ERA5: &[Variable] = &[("t2m", &["time", "lat", "lon"], t2m), ("v", &["time", "level", "lat", "lon"], v)];
const DAYMET: &[Variable] = &[("tmin", &["time", "y", "x"], t2m), ("prcp", &["time", "y", "x"], prcp)];
const S2: &[Variable] = &[("nir", &["y", "x"], nir), ("red", &["y", "x"], red), ("scl", &["y", "x"], scl)];
const DEM: &[Variable] = &[("z", &["y", "x"], z)];

fn t2m(at: &[usize]) -> Option<f64> {
    let value = (at[0] * 13 % 31) as f64 + 2.0 * at[1] as f64 + 0.25 * (at[2] * at[2]) as f64;
    (!(at[0] * 7 + at[1] * 3 + at[2]).is_multiple_of(23)).then_some(value)
}

fn v(at: &[usize]) -> Option<f64> {
    Some((at[0] % 17) as f64 + 10.0 * at[1] as f64 - at[2] as f64 + (at[3] * at[3] % 5) as f64)
}

fn prcp(at: &[usize]) -> Option<f64> {
    Some((at[0] * 5 % 9 + at[1] + at[2]) as f64)
}

fn nir(at: &[usize]) -> Option<f64> {
    Some((at[0] * 3 + at[1] + 2) as f64)
}

fn red(at: &[usize]) -> Option<f64> {
    Some((at[0] + at[1] * 2 + 1) as f64)
}

fn scl(at: &[usize]) -> Option<f64> {
    Some(((at[0] + at[1] * 3) % 9) as f64)
}

fn z(at: &[usize]) -> Option<f64> {
    Some((at[0] * at[1] % 37) as f64)
}

fn length(dimension: &str, store: &str) -> usize {
    match (dimension, store) {
        ("time", _) => DAYS,
        ("lat", _) => LATS.len(),
        ("lon", _) => LONS.len(),
        ("level", _) => LEVELS.len(),
        ("y", "dem") => 20,
        ("x", "dem") => 30,
        ("y", _) => 4,
        _ => 5,
    }
}

fn label(dimension: &str, position: usize) -> f64 {
    match dimension {
        "time" => position as f64,
        "lat" => LATS[position],
        "lon" => LONS[position],
        "level" => LEVELS[position],
        _ => position as f64 * 2.0,
    }
}

fn write(folder: &TempDir, store: &str, variables: &[Variable]) {
    let mut arrays: Vec<ArrayToWrite> = Vec::new();
    let mut names: Vec<&str> = variables.iter().flat_map(|(_, dimensions, _)| dimensions.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let cells = length(name, store);
        let days = r#""units":"days since 2019-12-20","calendar":"standard""#;
        arrays.push(ArrayToWrite {
            name: name.to_string(),
            dimensions: vec![name.to_string()],
            shape: vec![cells],
            chunk_shape: vec![cells],
            stored: Stored::F8,
            values: (0..cells).map(|position| Some(label(name, position))).collect(),
            attributes: if name == "time" { days.to_string() } else { String::new() },
        });
    }
    for (name, dimensions, value) in variables {
        let shape: Vec<usize> = dimensions.iter().map(|name| length(name, store)).collect();
        arrays.push(ArrayToWrite {
            name: (*name).to_string(),
            dimensions: dimensions.iter().map(ToString::to_string).collect(),
            chunk_shape: shape.iter().map(|cells| cells.div_ceil(3)).collect(),
            values: indexes(&shape).map(|index| value(&index)).collect(),
            shape,
            stored: Stored::F8,
            attributes: String::new(),
        });
    }
    write_store(&folder.path().join(format!("{store}.zarr")), 3, false, &arrays);
}

/// The stores on disk, and a session in every setting that they are attached to.
fn sessions() -> (TempDir, Vec<Session>) {
    let folder = tempfile::tempdir().unwrap();
    for (store, variables) in [("era5", ERA5), ("daymet", DAYMET), ("s2", S2), ("dem", DEM)] {
        write(&folder, store, variables);
    }
    let stations: String = STATIONS.iter().map(|(name, lat, lon)| format!("{name},{lat},{lon}\n")).collect();
    std::fs::write(folder.path().join("stations.csv"), format!("name,lat,lon\n{stations}")).unwrap();
    let sessions = ALL_SETTINGS.iter().map(|settings| {
        let session = settings.session();
        for store in ["era5", "daymet", "s2", "dem"] {
            attach(&session, store, &folder.path().join(format!("{store}.zarr"))).unwrap();
        }
        let table = format!(
            "CREATE EXTERNAL TABLE stations STORED AS CSV LOCATION '{}/stations.csv' OPTIONS ('format.has_header' 'true')",
            folder.path().display()
        );
        assert!(matches!(run(&session, &table), Ending::Other(_)));
        session
    });
    let sessions = sessions.collect();
    (folder, sessions)
}

fn rows_of(session: &Session, query: &str) -> Answer {
    match run(session, query) {
        Ending::Rows(answer) => answer,
        other => panic!("{query}: expected rows, found {other:?}"),
    }
}

/// Every session gives these dimensions, and in a column these values in this order.
fn gives(sessions: &[Session], query: &str, dimensions: &[&str], column: &str, values: &[Option<f64>]) {
    for session in sessions {
        let answer = rows_of(session, query);
        assert_eq!(answer.dimensions, dimensions, "{query}");
        holds(query, &answer, column, values);
    }
}

fn holds(query: &str, answer: &Answer, column: &str, values: &[Option<f64>]) {
    let found = numbers(&answer.column(column).unwrap_or_else(|| panic!("{query}: no {column}")).cells);
    assert_eq!(found.len(), values.len(), "{query}: rows");
    for (row, (wanted, found)) in values.iter().zip(&found).enumerate() {
        let is_near = match (wanted, found) {
            (Some(wanted), Some(found)) => (wanted - found).abs() < 1e-9,
            _ => wanted == found,
        };
        assert!(is_near, "{query}: {column} row {row}: expected {wanted:?}, found {found:?}");
    }
}

fn numbers(cells: &[Cell]) -> Vec<Option<f64>> {
    let number = |cell: &Cell| match cell {
        Cell::Missing => None,
        Cell::Float(value) => Some(*value),
        Cell::Integer(value) => Some(*value as f64),
        other => panic!("expected a number, found {other:?}"),
    };
    cells.iter().map(number).collect()
}

fn mean(cells: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let there: Vec<f64> = cells.flatten().collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

/// A value for every index of some lengths, in C order.
fn each<T>(shape: &[usize], value: impl Fn(&[usize]) -> T) -> Vec<T> {
    indexes(shape).map(|index| value(&index)).collect()
}

fn month(day: usize) -> i64 {
    civil(FIRST_DAY + day as f64).1
}

fn days_of_year(year: i64) -> Vec<usize> {
    (0..DAYS).filter(|&day| civil(FIRST_DAY + day as f64).0 == year).collect()
}

#[test]
fn reductions() {
    let (folder, sessions) = sessions();
    let of_space = |day: usize| mean(indexes(&[4, 5]).map(|at| t2m(&[day, at[0], at[1]])));
    let daily: Vec<Option<f64>> = (0..DAYS).map(of_space).collect();
    let path = folder.path().join("daymet.zarr");
    let first = format!("FROM '{}' |> REDUCE avg(tmin) ALONG y, x", path.display());
    gives(&sessions, &first, &["time"], "tmin", &daily);
    gives(
        &sessions,
        "SELECT time, avg(tmin) AS tmin FROM daymet GROUP BY time ORDER BY time",
        &["time"],
        "tmin",
        &daily,
    );
    let query = "FROM era5 |> AGGREGATE avg(t2m) AS t2m GROUP BY lat, lon, month(time) AS month";
    let months: Vec<i64> = vec![1, 2, 3, 4, 5, 6, 7, 12];
    let of_month =
        |m: i64, at: &[usize]| mean((0..DAYS).filter(|&day| month(day) == m).map(|day| t2m(&[day, at[0], at[1]])));
    gives(&sessions, query, &["month", "lat", "lon"], "t2m", &each(&[8, 5, 8], |at| of_month(months[at[0]], &at[1..])));
    let query = "FROM daymet |> AGGREGATE sum(prcp) AS prcp GROUP BY y, x, bin(time, '1 month') AS time";
    let months: Vec<i64> = vec![12, 1, 2, 3, 4, 5, 6, 7];
    let total = |m: i64, at: &[usize]| {
        (0..DAYS).filter(|&day| month(day) == m).filter_map(|day| prcp(&[day, at[0], at[1]])).sum::<f64>()
    };
    gives(&sessions, query, &["time", "y", "x"], "prcp", &each(&[8, 4, 5], |at| Some(total(months[at[0]], &at[1..]))));
    let query = "FROM dem |> COARSEN avg(z), max(z) AS zmax BY y 10, x 10";
    let box_of = |at: &[usize]| each(&[10, 10], |inner| z(&[at[0] * 10 + inner[0], at[1] * 10 + inner[1]]));
    gives(&sessions, query, &["y", "x"], "z", &each(&[2, 3], |at| mean(box_of(at).into_iter())));
    gives(
        &sessions,
        query,
        &["y", "x"],
        "zmax",
        &each(&[2, 3], |at| box_of(at).into_iter().flatten().reduce(f64::max)),
    );
    gives(&sessions, query, &["y", "x"], "x", &each(&[2, 3], |at| Some(at[1] as f64 * 20.0 + 9.0)));
}

#[test]
fn subsets_and_maps() {
    let (_folder, sessions) = sessions();
    let query = "FROM era5[time = '2020-01':'2020-03', lat = 30:60, level IN (500, 850), lon[0:1440:4]]";
    let days: Vec<usize> = (0..DAYS).filter(|&day| (1..=3).contains(&month(day))).collect();
    let values = each(&[days.len(), 2, 3, 2], |at| v(&[days[at[0]], at[1], at[2] + 1, at[3] * 4]));
    gives(&sessions, query, &["time", "level", "lat", "lon"], "v", &values);
    let query = "FROM era5[lat = nearest(51.5), lon = linear(-0.1), time[-24:]] |> SELECT time, t2m";
    let between = |day: usize| Some(t2m(&[day, 2, 1])? * 0.1 + t2m(&[day, 2, 2])? * 0.9);
    gives(&sessions, query, &["time"], "t2m", &(DAYS - 24..DAYS).map(between).collect::<Vec<_>>());
    let query = "FROM s2 |> EXTEND (nir - red) / (nir + red) AS ndvi |> MASK scl IN (4, 5, 6)";
    let ndvi = |at: &[usize]| {
        let is_kept = matches!(scl(at), Some(class) if (4.0..=6.0).contains(&class));
        Some((nir(at)? - red(at)?) / (nir(at)? + red(at)?)).filter(|_| is_kept)
    };
    gives(&sessions, query, &["y", "x"], "ndvi", &each(&[4, 5], ndvi));
}

#[test]
fn windows() {
    let (_folder, sessions) = sessions();
    let shape = [DAYS, LEVELS.len(), LATS.len(), LONS.len()];
    let names = ["time", "level", "lat", "lon"];
    let query = "FROM era5 |> EXTEND t2m - avg(t2m) OVER (PARTITION BY lat, lon, month(time)) AS anom";
    let clim = each(&[13, LATS.len(), LONS.len()], |at| {
        mean((0..DAYS).filter(|&day| month(day) == at[0] as i64).map(|day| t2m(&[day, at[1], at[2]])))
    });
    let anomaly = |at: &[usize]| {
        let place = offset(&[month(at[0]) as usize, at[2], at[3]], &[13, LATS.len(), LONS.len()]);
        Some(t2m(&[at[0], at[2], at[3]])? - clim[place]?)
    };
    gives(&sessions, query, &names, "anom", &each(&shape, anomaly));
    let query = "FROM era5 |> EXTEND v - avg(v) OVER (ALONG lon) AS v_eddy";
    let eddy = |at: &[usize]| Some(v(at)? - mean((0..LONS.len()).map(|lon| v(&[at[0], at[1], at[2], lon])))?);
    gives(&sessions, query, &names, "v_eddy", &each(&shape, eddy));
    let query = "FROM era5 |> EXTEND avg(t2m[time-6:time]) AS t7, t2m - t2m[time-1] AS dt";
    let week = |at: &[usize]| {
        let cells: Option<Vec<f64>> = (at[0].checked_sub(6)?..=at[0]).map(|day| t2m(&[day, at[2], at[3]])).collect();
        cells.map(|cells| cells.iter().sum::<f64>() / 7.0)
    };
    let change = |at: &[usize]| Some(t2m(&[at[0], at[2], at[3]])? - t2m(&[at[0].checked_sub(1)?, at[2], at[3]])?);
    gives(&sessions, query, &names, "t7", &each(&shape, week));
    gives(&sessions, query, &names, "dt", &each(&shape, change));
}

#[test]
fn order_statistics_and_weights() {
    let (_folder, sessions) = sessions();
    let query = "FROM era5 |> REDUCE quantile(t2m, 0.9) AS q90, idxmax(t2m) AS hottest_day ALONG time";
    let cells = |at: &[usize]| (0..DAYS).map(|day| t2m(&[day, at[0], at[1]])).collect::<Vec<_>>();
    let quantile = |at: &[usize]| {
        let mut there: Vec<f64> = cells(at).into_iter().flatten().collect();
        there.sort_by(f64::total_cmp);
        let place = 0.9 * (there.len() - 1) as f64;
        let (low, fraction) = (place.floor() as usize, place.fract());
        Some(there[low] + (there[(low + 1).min(there.len() - 1)] - there[low]) * fraction)
    };
    gives(&sessions, query, &["lat", "lon"], "q90", &each(&[5, 8], quantile));
    let hottest = each(&[5, 8], |at| {
        let cells = cells(at);
        let top = cells.iter().flatten().copied().reduce(f64::max);
        let day = cells.iter().position(|cell| cell.is_some() && *cell == top).unwrap();
        Cell::Text(format!("{}T00:00:00", date(FIRST_DAY + day as f64)))
    });
    for session in &sessions {
        assert_eq!(rows_of(session, query).column("hottest_day").unwrap().cells, hottest);
    }
    let query = "FROM era5 |> REDUCE avg(t2m, weights => cos(radians(lat))) AS m ALONG lat, lon";
    let weighted = |day: usize| {
        let parts = each(&[5, 8], |at| t2m(&[day, at[0], at[1]]).map(|cell| (cell, LATS[at[0]].to_radians().cos())));
        let parts: Vec<(f64, f64)> = parts.into_iter().flatten().collect();
        Some(parts.iter().map(|(cell, w)| cell * w).sum::<f64>() / parts.iter().map(|(_, w)| w).sum::<f64>())
    };
    gives(&sessions, query, &["time"], "m", &(0..DAYS).map(weighted).collect::<Vec<_>>());
}

#[test]
fn tables() {
    let (_folder, sessions) = sessions();
    let query = "SELECT s.name, avg(e.t2m) FROM era5[time = '2020-06-01'] e JOIN stations s ON e.lat = nearest(s.lat) AND e.lon = nearest(s.lon) GROUP BY s.name";
    let day = (0..DAYS).find(|&day| date(FIRST_DAY + day as f64) == "2020-06-01").unwrap();
    for session in &sessions {
        let mut answer = rows_of(session, query);
        answer.sort_rows();
        let names = STATIONS.map(|(name, ..)| Cell::Text(name.to_string()));
        assert_eq!(answer.columns[0].cells, names);
        let values = [t2m(&[day, 2, 2]), t2m(&[day, 1, 7]), t2m(&[day, 0, 2])];
        assert_eq!(numbers(&answer.columns[1].cells), values);
    }
    let query = "SELECT bin(t2m, 0.5) AS b, count(*) FROM era5[time = '2020'] GROUP BY b ORDER BY b";
    let mut bins: Vec<(Option<f64>, f64)> = Vec::new();
    for at in indexes(&[days_of_year(2020).len(), 5, 8]) {
        let bin = t2m(&[days_of_year(2020)[at[0]], at[1], at[2]]).map(|value| (value / 0.5).floor() * 0.5);
        match bins.iter_mut().find(|(other, _)| *other == bin) {
            Some((_, count)) => *count += 1.0,
            None => bins.push((bin, 1.0)),
        }
    }
    // A missing key comes last.
    bins.sort_by(|a, b| a.0.unwrap_or(f64::INFINITY).total_cmp(&b.0.unwrap_or(f64::INFINITY)));
    gives(&sessions, query, &[], "b", &bins.iter().map(|(bin, _)| *bin).collect::<Vec<_>>());
    gives(&sessions, query, &[], "count(*)", &bins.iter().map(|(_, count)| Some(*count)).collect::<Vec<_>>());
}

#[test]
fn statements() {
    let (folder, sessions) = sessions();
    let view = "CREATE VIEW clim AS FROM era5 |> AGGREGATE avg(t2m) AS t2m GROUP BY lat, lon, dayofyear(time) AS doy";
    for session in &sessions {
        assert!(matches!(run(session, view), Ending::Other(_)));
    }
    let first = |at: &[usize]| t2m(&[12, at[0], at[1]]);
    let query = "SELECT lat, lon, t2m FROM clim WHERE doy = 1 ORDER BY lat DESC, lon";
    gives(&sessions, query, &[], "t2m", &each(&[5, 8], first));
    for (place, session) in sessions.iter().enumerate() {
        let explain = "EXPLAIN ANALYZE FROM era5[time = '2020'] |> REDUCE avg(t2m) ALONG lat, lon";
        let Ending::Other(text) = run(session, explain) else { panic!("{explain}: no text") };
        assert!(text.starts_with("explain: ") && text.contains("rows"), "{text}");
        let plot = "FROM daymet[time = '2010':'2020'] |> REDUCE avg(tmin) ALONG y, x |> PLOT TO 'tmin.png' WITH (width = 12, height = 6, title = 'Daily minimum')";
        let Ending::Other(text) = run(session, plot) else { panic!("{plot}: no drawing") };
        assert_eq!(text, "plot");
        let target = folder.path().join(format!("all{place}.zarr"));
        let write = format!("FROM daymet |> INTO '{}' CHUNKS (time 365, y 500, x 500)", target.display());
        let Ending::Other(text) = run(session, &write) else { panic!("{write}: not written") };
        assert!(text.starts_with("done: "), "{text}");
        attach(session, "copy", &target).unwrap();
        let copied = each(&[DAYS, 4, 5], t2m);
        holds("copy", &rows_of(session, "SELECT time, y, x, tmin FROM copy"), "tmin", &copied);
    }
}
