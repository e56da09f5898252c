//! The array syntax read back from the calls it was rewritten to.

use quarray_lang::parse;
use quarray_lang::statement::StatementKind;
use quarray_lang::syntax::{
    Along, ArrayStep, CellIndex, IntoMode, Selector, SubsetSource, array_step, cell_reference, subset, window_along,
};
use sqlparser::ast::{Expr, Query, SelectItem, SetExpr, Statement, TableFactor, WindowType};

fn query(text: &str) -> Query {
    let statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    match &statements[0].kind {
        StatementKind::Sql(sql) => match sql.as_ref() {
            Statement::Query(query) => query.as_ref().clone(),
            other => panic!("no query: {other}"),
        },
        other => panic!("no query: {other:?}"),
    }
}

fn factor(text: &str) -> TableFactor {
    match query(text).body.as_ref() {
        SetExpr::Select(select) => select.from[0].relation.clone(),
        other => panic!("no select: {other}"),
    }
}

fn step(text: &str) -> ArrayStep {
    array_step(&query(&format!("FROM era5 |> {text}")).pipe_operators[0]).unwrap()
}

fn expression(text: &str) -> Expr {
    match query(&format!("SELECT {text}")).body.as_ref() {
        SetExpr::Select(select) => match &select.projection[0] {
            SelectItem::UnnamedExpr(expression) => expression.clone(),
            other => panic!("no expression: {other}"),
        },
        other => panic!("no select: {other}"),
    }
}

fn shown(expression: &Option<Expr>) -> String {
    expression.as_ref().map_or("-".to_string(), ToString::to_string)
}

#[test]
fn selectors_read_back() {
    let text = "FROM era5[a = 1, b = 2:, c = :3:4, d IN (5, 6), e[7], f[:-8], g[::2], h = nearest(1.5, 2)] AS x";
    let subset = subset(&factor(text)).unwrap();
    assert_eq!(subset.alias.unwrap().value, "x");
    assert!(matches!(subset.source, SubsetSource::Name(name) if name.to_string() == "era5"));
    let written: Vec<String> = subset
        .selectors
        .iter()
        .map(|(dimension, selector)| {
            let what = match selector {
                Selector::Label(label) => format!("label {label}"),
                Selector::LabelRange { low, high, step } => {
                    format!("labels {} {} {}", shown(low), shown(high), shown(step))
                }
                Selector::Labels(labels) => format!("{} labels", labels.len()),
                Selector::Position(position) => format!("position {position}"),
                Selector::PositionRange { start, stop, step } => {
                    format!("positions {} {} {}", shown(start), shown(stop), shown(step))
                }
            };
            format!("{dimension}: {what}")
        })
        .collect();
    let expected = [
        "a: label 1",
        "b: labels 2 - -",
        "c: labels - 3 4",
        "d: 2 labels",
        "e: position 7",
        "f: positions - -8 -",
        "g: positions - - 2",
        "h: label nearest(1.5, 2)",
    ];
    assert_eq!(written, expected);
}

#[test]
fn sources_read_back() {
    let path = subset(&factor("FROM 'az://c/x.zarr' WITH (sas = 's', Level = 3)[t = 1]")).unwrap();
    let SubsetSource::Name(name) = &path.source else { panic!("no name") };
    assert_eq!(name.to_string(), "'az://c/x.zarr'");
    let options: Vec<String> = path.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(options, ["sas='s'", "level=3"]);
    assert!(subset(&factor("FROM 'x.zarr' WITH (sas = 's') AS e")).unwrap().selectors.is_empty());
    let nested = subset(&factor("FROM (FROM x |> MASK a)[t = 1]")).unwrap();
    assert!(matches!(nested.source, SubsetSource::Query(query) if query.pipe_operators.len() == 1));
    assert_eq!(subset(&factor("FROM era5")), None);
    assert_eq!(subset(&factor("FROM generate_series(1, 3)")), None);
    let plain = subset(&factor("FROM sel(era5, lat => slice(30, 60))"));
    assert_eq!(plain, subset(&factor("FROM era5[lat = 30:60]")));
}

#[test]
fn steps_read_back() {
    let ArrayStep::Reduce { items, along } = step("REDUCE avg(t) AS m, max(t) b, min(t) ALONG \"Y\", x") else {
        panic!("no reduce")
    };
    let aliases: Vec<_> = items.iter().map(|item| item.alias.as_ref().map(|alias| alias.value.clone())).collect();
    assert_eq!(aliases, [Some("m".to_string()), Some("b".to_string()), None]);
    assert!(matches!(along, Along::Along(names) if names.len() == 2 && names[0].quote_style == Some('"')));
    assert!(
        matches!(step("REDUCE avg(t) KEEP time"), ArrayStep::Reduce { along: Along::Keep(names), .. } if names.len() == 1)
    );
    assert!(matches!(step("REDUCE avg(t)"), ArrayStep::Reduce { along: Along::All, .. }));
    assert!(matches!(step("SEL a = 1, b[2]"), ArrayStep::Sel(selectors) if selectors.len() == 2));
    assert!(matches!(step("MASK a IN (1, 2) AND b > 3"), ArrayStep::Mask(Expr::BinaryOp { .. })));
    let ArrayStep::Coarsen { by, using, .. } = step("COARSEN avg(z) BY y 10, x 5 USING trim") else {
        panic!("no coarsen")
    };
    assert_eq!((by.len(), by[1].1.to_string(), using.unwrap().value), (2, "5".to_string(), "trim".to_string()));
    let ArrayStep::Resample { dimension, to, .. } = step("RESAMPLE sum(p) TO time '1 month'") else {
        panic!("no resample")
    };
    assert_eq!((dimension.value, to.to_string()), ("time".to_string(), "'1 month'".to_string()));
    assert!(matches!(step("FILL t WITH 0"), ArrayStep::Later { verb, .. } if verb == "FILL"));
}

#[test]
fn steps_that_write_read_back() {
    let text = "INTO 'u' WITH (codec = 'zstd') CHUNKS (time 365, y 5) APPEND ALONG time";
    let ArrayStep::Into { target, chunks, options, mode } = step(text) else { panic!("no into") };
    assert_eq!((target.to_string(), chunks.len(), options[0].0.as_str()), ("'u'".to_string(), 2, "codec"));
    assert!(matches!(mode, IntoMode::Append(dimension) if dimension.value == "time"));
    assert!(matches!(step("INTO cat.era5 REGION"), ArrayStep::Into { mode: IntoMode::Region, .. }));
    let ArrayStep::Plot { items, to, options } = step("PLOT tmin TO 'p.png' WITH (Width = 12)") else {
        panic!("no plot")
    };
    assert_eq!((items.len(), to.as_deref(), options[0].0.as_str()), (1, Some("p.png"), "width"));
    assert!(matches!(step("PLOT"), ArrayStep::Plot { items, to: None, .. } if items.is_empty()));
}

#[test]
fn cell_references_read_back() {
    let indexes = |text: &str| -> Vec<String> {
        let cells = cell_reference(&expression(text)).unwrap_or_else(|| panic!("no cells: {text}"));
        let index = |index: &CellIndex| match index {
            CellIndex::Point(point) => point.to_string(),
            CellIndex::Range(low, high) => format!("{}..{}", shown(low), shown(high)),
        };
        std::iter::once(cells.base.to_string()).chain(cells.indexes.iter().map(index)).collect()
    };
    assert_eq!(indexes("t2m[time-6:time]"), ["t2m", "time - 6..time"]);
    assert_eq!(indexes("e.t2m[time-1]"), ["e.t2m", "time - 1"]);
    assert_eq!(indexes("tp[:time]"), ["tp", "-..time"]);
    assert_eq!(indexes("tp[time:]"), ["tp", "time..-"]);
    assert_eq!(indexes("t[time - INTERVAL '6 days' : time]"), ["t", "time - INTERVAL '6 days'..time"]);
    assert_eq!(indexes("e.z[y-1:y+1, x]"), ["e.z", "y - 1..y + 1", "x"]);
    assert_eq!(indexes("z[lat = 3]"), ["z", "lat = 3"]);
    for other in ["a", "f(x)", "[1, 2]", "ARRAY[1, 2]", "a[1][2]", "a[1:5:2]"] {
        assert_eq!(cell_reference(&expression(other)), None, "{other}");
    }
}

#[test]
fn windows_read_back() {
    let window = |text: &str| match expression(text) {
        Expr::Function(function) => match function.over {
            Some(WindowType::WindowSpec(window)) => window_along(&window),
            _ => None,
        },
        _ => None,
    };
    let along = window("sum(v) OVER (ALONG lat, lon ORDER BY lat DESC)").unwrap();
    assert_eq!((along.dimensions.len(), along.order_by.len()), (2, 1));
    assert_eq!(window("sum(v) OVER (PARTITION BY lat)"), None);
    assert_eq!(window("sum(v) OVER ()"), None);
}
