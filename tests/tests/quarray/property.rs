//! Random queries about random arrays: the grid path, the row path and the naive reference agree, whatever the chunks,
//! the types and the threads.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::answer::{Answer, Cell, Column};
use crate::reference::{Model, aggregate, civil, date, prepare};
use crate::run::{ALL_SETTINGS, Ending, attach, run};
use crate::scenario::{Aggregate, Labels, Question, Scenario, groups, reductions, scenarios, windows};
use crate::store::{indexes, write_store};

/// The question as text, and its answer.
struct Asked {
    text: String,
    /// The dimensions of the result; `None` where rows come in any order and need not be an array.
    dimensions: Option<Vec<String>>,
    columns: Vec<Column>,
    /// How far off a float may be.
    allowed: f64,
}

#[test]
fn random_reductions() {
    check(scenarios(reductions()), 2);
}

#[test]
fn random_groups() {
    check(scenarios(groups()), 1);
}

#[test]
fn random_windows() {
    check(scenarios(windows()), 1);
}

/// Runs a share of the random cases: `PROPTEST_CASES` in all, or 2,000.
fn check(strategy: impl Strategy<Value = Scenario>, quarters: u32) {
    let all = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000u32);
    let cases = (all * quarters).div_ceil(4);
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() });
    let outcome = runner.run(&strategy, |scenario| agree(&scenario).map_err(TestCaseError::fail));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Writes the scenario's store and asks its question in every setting.
fn agree(scenario: &Scenario) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("ds.zarr");
    write_store(&path, scenario.version, scenario.sparse, &scenario.arrays());
    let asked = ask(&prepare(scenario), scenario.question);
    for settings in ALL_SETTINGS {
        let session = settings.session();
        attach(&session, "ds", &path)?;
        let result = match run(&session, &asked.text) {
            Ending::Rows(found) => compare(&asked, found),
            Ending::Error(error) => Err(format!("error: {error}")),
            Ending::Panic(message) => Err(format!("panic: {message}")),
            Ending::Other(found) => Err(format!("expected rows, found {found}")),
        };
        result.map_err(|difference| format!("{}\n{settings:?}\n{difference}", asked.text))?;
    }
    Ok(())
}

fn compare(asked: &Asked, mut found: Answer) -> Result<(), String> {
    let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    if names(&asked.columns) != names(&found.columns) {
        return Err(format!("expected columns {:?}, found {:?}", names(&asked.columns), names(&found.columns)));
    }
    for (wanted, column) in asked.columns.iter().zip(&mut found.columns) {
        column.class = wanted.class.clone();
        column.cells.iter_mut().for_each(|cell| *cell = widened(cell));
    }
    let mut wanted = Answer { dimensions: Vec::new(), columns: asked.columns.clone() };
    match &asked.dimensions {
        Some(dimensions) if *dimensions != found.dimensions => {
            return Err(format!("expected dimensions {dimensions:?}, found {:?}", found.dimensions));
        }
        Some(_) => {}
        None => {
            wanted.sort_rows();
            found.sort_rows();
        }
    }
    if wanted.rows() != found.rows() {
        return Err(format!("expected {} rows, found {}", wanted.rows(), found.rows()));
    }
    for (wanted, found) in wanted.columns.iter().zip(&found.columns) {
        for (row, (wanted_cell, found_cell)) in wanted.cells.iter().zip(&found.cells).enumerate() {
            let is_near = match (wanted_cell, found_cell) {
                (Cell::Float(wanted), Cell::Float(found)) => (wanted - found).abs() <= asked.allowed,
                _ => wanted_cell == found_cell,
            };
            if !is_near {
                return Err(format!("{} row {row}: expected {wanted_cell:?}, found {found_cell:?}", wanted.name));
            }
        }
    }
    Ok(())
}

/// Numbers of every type as floats.
fn widened(cell: &Cell) -> Cell {
    match cell {
        Cell::Integer(value) => Cell::Float(*value as f64),
        other => other.clone(),
    }
}

fn ask(model: &Model, question: Question) -> Asked {
    let count = model.dimensions.len();
    match question {
        Question::Reduce { aggregate, along, keep } if count > 0 || !is_positional(aggregate) => {
            reduce(model, aggregate, &chosen(along, count), keep)
        }
        Question::Group { aggregate, keys, binned } => group(model, aggregate, keys, binned),
        Question::Window { dimension, .. } if count > 0 => window(model, question, dimension % count),
        Question::Over { aggregate, along } if count > 0 => over(model, aggregate, &chosen(along, count)),
        Question::Where { threshold, key } => dropped(model, threshold, key),
        Question::Sets { aggregate, keep } => sets(model, aggregate, keep),
        Question::Resample { aggregate, days } if days_of(model).is_some() => resampled(model, aggregate, days),
        Question::First { limit, offset } => {
            let mut first = cells(model);
            first.text += &format!(" |> LIMIT {limit} OFFSET {offset}");
            for column in &mut first.columns {
                column.cells = column.cells.iter().skip(offset).take(limit).cloned().collect();
            }
            first
        }
        _ => cells(model),
    }
}

/// Every cell with its labels.
fn cells(model: &Model) -> Asked {
    let every: Vec<usize> = (0..model.dimensions.len()).collect();
    let columns = vec![values("m", model.mapped.clone())];
    let list: Vec<String> = model.dimensions.iter().map(|d| d.name.clone()).chain(["m".to_string()]).collect();
    on_dimensions(model, &every, format!("|> SELECT {}", list.join(", ")), columns, 0.0)
}

fn is_positional(aggregate: Aggregate) -> bool {
    matches!(aggregate, Aggregate::Argmax | Aggregate::Argmin)
}

/// The dimensions of which the bit is set; all of them where none is.
fn chosen(bits: u8, count: usize) -> Vec<usize> {
    let some: Vec<usize> = (0..count).filter(|d| bits & (1 << d) != 0).collect();
    if some.is_empty() { (0..count).collect() } else { some }
}

fn reduce(model: &Model, function: Aggregate, gone: &[usize], keep: bool) -> Asked {
    let gone = if is_positional(function) { &gone[..1] } else { gone };
    let kept: Vec<usize> = (0..model.dimensions.len()).filter(|d| !gone.contains(d)).collect();
    let clause = match (keep && !kept.is_empty(), gone.is_empty()) {
        (_, true) => String::new(),
        (true, _) => format!(" KEEP {}", model.list(&kept)),
        (false, _) => format!(" ALONG {}", model.list(gone)),
    };
    let cells = model.along(gone).iter().map(|cells| aggregate(function, cells)).collect();
    let text = format!("|> REDUCE {}(m) AS r{clause}", function.name());
    on_dimensions(model, &kept, text, vec![values("r", cells)], allowed(function))
}

fn sets(model: &Model, function: Aggregate, keep: u8) -> Asked {
    let (kept, gone): (Vec<usize>, Vec<usize>) = (0..model.dimensions.len()).partition(|d| keep & (1 << d) != 0);
    let clause = if kept.is_empty() { String::new() } else { format!(" KEEP {}", model.list(&kept)) };
    let of = |cells: Vec<Vec<Option<f64>>>| cells.iter().map(|cells| aggregate(function, cells)).collect();
    let columns = vec![values("r", of(model.along(&gone))), values("s", of(model.small_along(&gone)))];
    let text = format!("|> REDUCE {0}(m) AS r, {0}(u) AS s{clause}", function.name());
    on_dimensions(model, &kept, text, columns, allowed(function))
}

/// The first dimension of days that is left.
fn days_of(model: &Model) -> Option<usize> {
    model.dimensions.iter().position(|dimension| matches!(dimension.labels, Labels::Days))
}

/// Every bin from the first to the last has a row for every other label, whether a day lies in it or not.
fn resampled(model: &Model, function: Aggregate, days: usize) -> Asked {
    let along = days_of(model).expect("a dimension of days");
    let (shape, length) = (model.shape(), days as i64);
    let bin = |position: usize| (model.dimensions[along].number(position) as i64).div_euclid(length);
    let bins: Vec<i64> = match shape[along] {
        0 => Vec::new(),
        cells => (bin(0)..=bin(cells - 1)).collect(),
    };
    let outer: Vec<usize> = (0..shape.len()).map(|d| if d == along { bins.len() } else { shape[d] }).collect();
    let cells_of = |index: &[usize]| -> Vec<Option<f64>> {
        let inside = (0..shape[along]).filter(|&position| bin(position) == bins[index[along]]);
        let cell = |position: usize| {
            let mut cell = index.to_vec();
            cell[along] = position;
            model.mapped[crate::store::offset(&cell, &shape)]
        };
        inside.map(cell).collect()
    };
    let label = |d: usize, index: &[usize]| match d == along {
        true => Cell::Text(format!("{}T00:00:00", date((bins[index[d]] * length) as f64))),
        false => model.dimensions[d].label(index[d]),
    };
    let mut columns: Vec<Column> = (0..shape.len())
        .map(|d| {
            let cells = indexes(&outer).map(|index| label(d, &index)).collect();
            Column { name: model.dimensions[d].name.clone(), class: "key".to_string(), cells }
        })
        .collect();
    columns.push(values("r", indexes(&outer).map(|index| aggregate(function, &cells_of(&index))).collect()));
    let name = &model.dimensions[along].name;
    let text = format!("{} |> RESAMPLE {}(m) AS r TO {name} '{days} days'", model.text, function.name());
    let dimensions = Some(model.dimensions.iter().map(|dimension| dimension.name.clone()).collect());
    Asked { text, dimensions, columns, allowed: allowed(function) }
}

fn group(model: &Model, function: Aggregate, keys: u8, binned: u8) -> Asked {
    let count = model.dimensions.len();
    let keyed: Vec<usize> = (0..count).filter(|d| keys & (1 << d) != 0).collect();
    let is_binned = |d: usize| binned & (1 << d) != 0;
    let texts: Vec<String> = keyed.iter().map(|&d| key_text(model, d, is_binned(d))).collect();
    let mut groups: Vec<(Vec<Cell>, Vec<Option<f64>>)> = Vec::new();
    if keyed.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    for (index, value) in indexes(&model.shape()).zip(&model.mapped) {
        let key: Vec<Cell> = keyed.iter().map(|&d| key_cell(model, d, index[d], is_binned(d))).collect();
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, cells)) => cells.push(*value),
            None => groups.push((key, vec![*value])),
        }
    }
    let mut columns: Vec<Column> = Vec::new();
    for (place, &d) in keyed.iter().enumerate() {
        let name =
            if is_binned(d) { format!("k_{}", model.dimensions[d].name) } else { model.dimensions[d].name.clone() };
        let cells = groups.iter().map(|(key, _)| key[place].clone()).collect();
        columns.push(Column { name, class: "key".to_string(), cells });
    }
    columns.push(values("r", groups.iter().map(|(_, cells)| aggregate(function, cells)).collect()));
    let by = if texts.is_empty() { String::new() } else { format!(" GROUP BY {}", texts.join(", ")) };
    let text = format!("{} |> AGGREGATE {}(m) AS r{by}", model.text, function.name());
    Asked { text, dimensions: None, columns, allowed: allowed(function) }
}

fn key_text(model: &Model, dimension: usize, is_binned: bool) -> String {
    let dimension = &model.dimensions[dimension];
    let name = &dimension.name;
    match (is_binned, dimension.labels) {
        (false, _) => name.clone(),
        (true, Labels::Ascending) => format!("bin({name}, 20) AS k_{name}"),
        (true, Labels::Descending) => format!("floor({name}) AS k_{name}"),
        (true, Labels::Days) => format!("month({name}) AS k_{name}"),
    }
}

fn key_cell(model: &Model, dimension: usize, position: usize, is_binned: bool) -> Cell {
    let dimension = &model.dimensions[dimension];
    let number = dimension.number(position);
    match (is_binned, dimension.labels) {
        (false, _) => dimension.label(position),
        (true, Labels::Ascending) => Cell::Float((number / 20.0).floor() * 20.0),
        (true, Labels::Descending) => Cell::Float(number.floor()),
        (true, Labels::Days) => Cell::Float(civil(number).1 as f64),
    }
}

fn window(model: &Model, question: Question, dimension: usize) -> Asked {
    let Question::Window { aggregate: function, before, after, min_count, reduce, spelled, .. } = question else {
        unreachable!("only windows come here")
    };
    let (shape, name) = (model.shape(), model.dimensions[dimension].name.clone());
    let size = before + after + 1;
    let enough = if min_count == 0 { size } else { min_count.min(size) };
    let cell = |index: Vec<usize>| {
        let first = index[dimension].saturating_sub(before);
        let last = (index[dimension] + after).min(shape[dimension] - 1);
        let cells: Vec<Option<f64>> = (first..=last)
            .map(|at| {
                let mut other = index.clone();
                other[dimension] = at;
                model.mapped[crate::store::offset(&other, &shape)]
            })
            .collect();
        aggregate(function, &cells).filter(|_| cells.iter().flatten().count() >= enough)
    };
    let cells: Vec<Option<f64>> = indexes(&shape).map(cell).collect();
    let low = if before == 0 { name.clone() } else { format!("{name}-{before}") };
    let high = if after == 0 { name.clone() } else { format!("{name}+{after}") };
    let option = if min_count == 0 { String::new() } else { format!(", min_count => {enough}") };
    let text = match spelled {
        true => format!("|> EXTEND window_{}(m, {name} => range(-{before}, {after}){option}) AS r", function.name()),
        false => format!("|> EXTEND {}(m[{low}:{high}]{option}) AS r", function.name()),
    };
    let every: Vec<usize> = (0..shape.len()).collect();
    if !reduce {
        let list = model.list(&every);
        return on_dimensions(
            model,
            &every,
            format!("{text} |> SELECT {list}, r"),
            vec![values("r", cells)],
            allowed(function),
        );
    }
    let windowed =
        Model { dimensions: model.dimensions.clone(), mapped: cells, small: model.small.clone(), text: String::new() };
    let tops = windowed.along(&[dimension]).iter().map(|cells| aggregate(Aggregate::Max, cells)).collect();
    let kept: Vec<usize> = every.into_iter().filter(|d| *d != dimension).collect();
    let text = format!("{text} |> REDUCE max(r) AS top ALONG {name}");
    on_dimensions(model, &kept, text, vec![values("top", tops)], allowed(function))
}

fn over(model: &Model, function: Aggregate, along: &[usize]) -> Asked {
    let shape = model.shape();
    let every: Vec<usize> = (0..shape.len()).collect();
    let kept: Vec<usize> = every.iter().copied().filter(|d| !along.contains(d)).collect();
    let outer: Vec<usize> = kept.iter().map(|&d| shape[d]).collect();
    let partitions: Vec<Option<f64>> = model.along(along).iter().map(|cells| aggregate(function, cells)).collect();
    let cells = indexes(&shape)
        .map(|index| {
            let cell: Vec<usize> = kept.iter().map(|&d| index[d]).collect();
            partitions[crate::store::offset(&cell, &outer)]
        })
        .collect();
    let list = model.list(&every);
    let text = format!("|> EXTEND {}(m) OVER (ALONG {}) AS r |> SELECT {list}, r", function.name(), model.list(along));
    on_dimensions(model, &every, text, vec![values("r", cells)], allowed(function))
}

fn dropped(model: &Model, threshold: i32, key: usize) -> Asked {
    let count = model.dimensions.len();
    let key = (count > 0).then(|| key % count);
    let mut groups: Vec<(Option<Cell>, Vec<Option<f64>>)> = Vec::new();
    if key.is_none() {
        groups.push((None, Vec::new()));
    }
    for (index, value) in indexes(&model.shape()).zip(&model.mapped) {
        if value.is_none_or(|value| value <= f64::from(threshold)) {
            continue;
        }
        let label = key.map(|d| model.dimensions[d].label(index[d]));
        match groups.iter_mut().find(|(other, _)| *other == label) {
            Some((_, cells)) => cells.push(*value),
            None => groups.push((label, vec![*value])),
        }
    }
    let mut columns = Vec::new();
    let mut by = String::new();
    if let Some(d) = key {
        let cells = groups.iter().filter_map(|(label, _)| label.clone()).collect();
        columns.push(Column { name: model.dimensions[d].name.clone(), class: "key".to_string(), cells });
        by = format!(" GROUP BY {}", model.dimensions[d].name);
    }
    let of = |function| groups.iter().map(|(_, cells)| aggregate(function, cells)).collect();
    columns.push(values("n", of(Aggregate::Count)));
    columns.push(values("s", of(Aggregate::Sum)));
    let text = format!("{} |> WHERE m > {threshold} |> AGGREGATE count(*) AS n, sum(m) AS s{by}", model.text);
    Asked { text, dimensions: None, columns, allowed: allowed(Aggregate::Sum) }
}

/// A question whose answer is an array on `kept`.
fn on_dimensions(model: &Model, kept: &[usize], step: String, answers: Vec<Column>, allowed: f64) -> Asked {
    let labels = kept.iter().map(|&d| model.label_column(kept, d));
    let names = kept.iter().map(|&d| model.dimensions[d].name.clone()).collect();
    Asked {
        text: format!("{} {step}", model.text),
        dimensions: Some(names),
        columns: labels.chain(answers).collect(),
        allowed,
    }
}

fn values(name: &str, cells: Vec<Option<f64>>) -> Column {
    let cells = cells.into_iter().map(|value| value.map_or(Cell::Missing, Cell::Float)).collect();
    Column { name: name.to_string(), class: "float64".to_string(), cells }
}

/// Values are below 201 and exact in binary: only means and what is built on them may differ in their last digits.
fn allowed(function: Aggregate) -> f64 {
    match function {
        Aggregate::Avg | Aggregate::Stddev => 1e-12 * 200.0,
        Aggregate::VarPop => 1e-12 * 40_000.0,
        _ => 0.0,
    }
}
