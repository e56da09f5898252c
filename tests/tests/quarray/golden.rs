//! The golden cases: every query of `golden/cases/*.json`, in the grid and in rows, on one thread and on four.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quarray_engine::{Error, Session};
use serde_json::Value;

use crate::answer::{Answer, Cell, Column, Tolerance, first_difference};
use crate::run::{ALL_SETTINGS, Ending, Settings, attach, here, run};

/// A query and what it must give.
struct Case {
    name: String,
    stores: Vec<String>,
    setup: Vec<String>,
    query: String,
    expected: Expected,
}

enum Expected {
    Answer(ExpectedAnswer),
    /// An error whose message holds all of these.
    Error(Vec<String>),
}

struct ExpectedAnswer {
    /// The dimensions, or `None` where the language leaves open whether the result is an array.
    dimensions: Option<Vec<String>>,
    columns: Vec<Column>,
    /// Whether columns come in any order (`SELECT *`).
    star: bool,
    ordered: bool,
    tolerance: Tolerance,
}

/// Where cases run: in this process, or elsewhere.
pub trait CaseSession {
    /// Gives a store a name.
    fn attach(&self, name: &str, path: &Path) -> Result<(), String>;

    /// Runs one statement and reads its whole result.
    fn run(&self, text: &str) -> Ending;
}

impl CaseSession for Session {
    fn attach(&self, name: &str, path: &Path) -> Result<(), String> {
        attach(self, name, path)
    }

    fn run(&self, text: &str) -> Ending {
        run(self, text)
    }
}

/// Makes sessions that run queries so.
pub type OpenSession<'a> = &'a dyn Fn(Settings) -> Arc<dyn CaseSession>;

/// The files of cases, and how many each holds at least.
const FILES: [(&str, usize); 9] = [
    ("subsets", 102),
    ("reductions", 200),
    ("groups", 56),
    ("maps", 88),
    ("windows", 70),
    ("where", 22),
    ("sql", 43),
    ("joins", 12),
    ("errors", 56),
];

#[test]
fn golden_subsets() {
    check_file("subsets");
}

#[test]
fn golden_reductions() {
    check_file("reductions");
}

#[test]
fn golden_groups() {
    check_file("groups");
}

#[test]
fn golden_maps() {
    check_file("maps");
}

#[test]
fn golden_windows() {
    check_file("windows");
}

#[test]
fn golden_where() {
    check_file("where");
}

#[test]
fn golden_sql() {
    check_file("sql");
}

#[test]
fn golden_joins() {
    check_file("joins");
}

#[test]
fn golden_errors() {
    check_file("errors");
}

/// Runs every case of a file, and tells of all that fail.
fn check_file(file: &str) {
    check_cases(file, &ALL_SETTINGS, &|settings| Arc::new(settings.session()));
}

/// Runs every case of every file in some ways, in sessions that are prepared first.
pub fn check_all_cases(ways: &[Settings], prepare: &dyn Fn(&Session)) {
    check_all_cases_in(ways, &|settings| {
        let session = settings.session();
        prepare(&session);
        Arc::new(session)
    });
}

/// Runs every case of every file in some ways, in sessions that are wherever they are.
pub fn check_all_cases_in(ways: &[Settings], open: OpenSession<'_>) {
    FILES.iter().for_each(|(file, _)| check_cases(file, ways, open));
}

fn check_cases(file: &str, ways: &[Settings], open: OpenSession<'_>) {
    let cases = read_cases(file);
    let (_, at_least) = FILES.into_iter().find(|(known, _)| *known == file).expect("a file of the list");
    assert!(cases.len() >= at_least, "{file}: {} cases, expected {at_least} or more", cases.len());
    let only = std::env::var("QUARRAY_GOLDEN").ok();
    let mut sessions = HashMap::new();
    let mut failures = Vec::new();
    let mut count = 0;
    for case in &cases {
        if only.as_ref().is_some_and(|part| !case.name.contains(part.as_str())) {
            continue;
        }
        count += 1;
        for &settings in ways {
            if let Err(difference) = check(case, settings, open, &mut sessions) {
                failures.push(format!(
                    "{} {settings:?}\n    {}\n    {difference}",
                    case.name,
                    case.query.replace('\n', "\n    ")
                ));
                break;
            }
        }
    }
    let report = failures.join("\n");
    assert!(failures.is_empty(), "{file}: {} of {count} cases fail\n{report}", failures.len());
}

/// Runs one case in one way. Sessions without a setup are used again.
fn check(
    case: &Case,
    settings: Settings,
    open: OpenSession<'_>,
    sessions: &mut HashMap<(Settings, Vec<String>), Arc<dyn CaseSession>>,
) -> Result<(), String> {
    let key = (settings, case.stores.clone());
    let session = match sessions.get(&key) {
        Some(session) if case.setup.is_empty() => Arc::clone(session),
        _ => {
            let session = open(settings);
            for store in &case.stores {
                session.attach(store, &store_path(store))?;
            }
            if case.setup.is_empty() {
                sessions.insert(key, Arc::clone(&session));
            }
            session
        }
    };
    for statement in &case.setup {
        match session.run(statement) {
            Ending::Error(error) => return Err(format!("setup: {statement}: {error}")),
            Ending::Panic(message) => return Err(format!("setup: {statement}: panic: {message}")),
            Ending::Rows(_) | Ending::Other(_) => {}
        }
    }
    judge(&case.expected, session.run(&case.query))
}

fn judge(expected: &Expected, ending: Ending) -> Result<(), String> {
    match (expected, ending) {
        (_, Ending::Panic(message)) => Err(format!("panic: {message}")),
        (_, Ending::Error(error @ Error::Internal(_))) => Err(error.to_string()),
        (Expected::Answer(expected), Ending::Rows(found)) => compare(expected, found),
        (Expected::Answer(_), Ending::Error(error)) => Err(format!("error: {error}")),
        (Expected::Answer(_), Ending::Other(found)) => Err(format!("expected rows, found {found}")),
        (Expected::Error(fragments), Ending::Error(error)) => {
            let message = error.to_string();
            match fragments.iter().find(|fragment| !message.contains(fragment.as_str())) {
                Some(fragment) => Err(format!("expected an error with {fragment:?}, found: {message}")),
                None => Ok(()),
            }
        }
        (Expected::Error(fragments), Ending::Rows(found)) => {
            Err(format!("expected an error with {fragments:?}, found {} rows", found.rows()))
        }
        (Expected::Error(fragments), Ending::Other(found)) => {
            Err(format!("expected an error with {fragments:?}, found {found}"))
        }
    }
}

fn compare(expected: &ExpectedAnswer, mut found: Answer) -> Result<(), String> {
    let names = |columns: &[Column]| -> Vec<String> { columns.iter().map(|column| column.name.clone()).collect() };
    let (mut wanted, mut given) = (names(&expected.columns), names(&found.columns));
    if expected.star {
        wanted.sort();
        given.sort();
    }
    if wanted != given {
        return Err(format!("expected columns {wanted:?}, found {given:?}"));
    }
    if let Some(dimensions) = &expected.dimensions
        && *dimensions != found.dimensions
    {
        return Err(format!("expected dimensions {dimensions:?}, found {:?}", found.dimensions));
    }
    let mut all = Answer { dimensions: found.dimensions.clone(), columns: expected.columns.clone() };
    if all.rows() != found.rows() {
        return Err(format!("expected {} rows, found {}", all.rows(), found.rows()));
    }
    if !expected.ordered {
        all.sort_rows();
        found.columns = wanted_order(&all, &found);
        found.sort_rows();
    }
    for column in &all.columns {
        let other = found.column(&column.name).ok_or("a column is gone")?;
        let fits = column.class == other.class || (column.class == "float" && other.class.starts_with("float"));
        if !fits {
            return Err(format!("{}: expected type {}, found {}", column.name, column.class, other.class));
        }
        let is_label = found.dimensions.contains(&column.name);
        let tolerance = if is_label { Tolerance::Exact } else { expected.tolerance };
        if let Some(difference) = first_difference(column, other, tolerance) {
            return Err(format!("{}: {difference}", column.name));
        }
    }
    Ok(())
}

fn wanted_order(wanted: &Answer, found: &Answer) -> Vec<Column> {
    wanted.columns.iter().filter_map(|column| found.column(&column.name).cloned()).collect()
}

fn store_path(store: &str) -> PathBuf {
    match store {
        "bcsd" => here().join("data/rnz-bcsd.zarr"),
        _ => here().join("golden/stores").join(format!("{store}.zarr")),
    }
}

fn read_cases(file: &str) -> Vec<Case> {
    let path = here().join("golden/cases").join(format!("{file}.json"));
    let text = std::fs::read_to_string(&path).expect("the cases are beside the tests");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("cases are JSON");
    cases.iter().map(read_case).collect()
}

fn read_case(case: &Value) -> Case {
    let golden = here().join("golden").display().to_string();
    let statement = |text: String| text.replace("{golden}", &golden);
    let expected = match case.get("error") {
        Some(fragments) => Expected::Error(texts(fragments)),
        None => Expected::Answer(read_answer(case)),
    };
    Case {
        name: text(&case["name"]),
        stores: texts(&case["attach"]),
        setup: case.get("setup").map(texts).unwrap_or_default().into_iter().map(statement).collect(),
        query: statement(text(&case["query"])),
        expected,
    }
}

fn read_answer(case: &Value) -> ExpectedAnswer {
    let dimensions = case["dims"].is_array().then(|| texts(&case["dims"]));
    let mut columns: Vec<Column> = case["columns"].as_array().expect("columns").iter().map(read_column).collect();
    let product = case["product"].as_bool() == Some(true);
    if product {
        expand_labels(&mut columns, dimensions.as_deref().unwrap_or_default());
    }
    ExpectedAnswer {
        dimensions,
        columns,
        star: case["star"].as_bool() == Some(true),
        ordered: product || case["ordered"].as_bool() == Some(true),
        tolerance: Tolerance::named(&text(&case["tolerance"])),
    }
}

/// Repeats the labels of dimensions so that each cell of their product has its own.
fn expand_labels(columns: &mut [Column], dimensions: &[String]) {
    let lengths: Vec<Option<usize>> = dimensions
        .iter()
        .map(|dimension| columns.iter().find(|column| column.name == *dimension).map(|column| column.cells.len()))
        .collect();
    let cells: Option<usize> = lengths.iter().copied().product();
    let Some(cells) = cells else { return };
    let mut inner = cells;
    for (dimension, length) in dimensions.iter().zip(lengths.into_iter().flatten()) {
        inner /= length.max(1);
        if let Some(column) = columns.iter_mut().find(|column| column.name == *dimension) {
            column.cells = (0..cells).map(|cell| column.cells[cell / inner.max(1) % length].clone()).collect();
        }
    }
}

fn read_column(column: &Value) -> Column {
    let class = text(&column["type"]);
    let values = column["values"].as_array().expect("values");
    let cells = values.iter().map(|value| read_cell(value, &class)).collect();
    Column { name: text(&column["name"]), class, cells }
}

fn read_cell(value: &Value, class: &str) -> Cell {
    match (value, class) {
        (Value::Null, _) => Cell::Missing,
        (Value::Bool(value), _) => Cell::Bool(*value),
        (Value::String(text), "float" | "float32" | "float64") => Cell::Float(text.parse().expect("NaN or inf")),
        (Value::String(text), _) => Cell::Text(text.clone()),
        (value, "float" | "float32" | "float64") => Cell::Float(value.as_f64().expect("a number")),
        (value, _) => {
            Cell::Integer(value.as_i64().map(i128::from).or(value.as_u64().map(i128::from)).expect("an integer"))
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_string()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().expect("a list of texts").iter().map(text).collect()
}
