//! Statements of the whole grammar, generated: each parses, and what is printed parses to the same.

use proptest::prelude::*;
use proptest::sample::select;

use crate::formatting::round_trip;

type Text = BoxedStrategy<String>;

fn words(words: &'static [&'static str]) -> Text {
    select(words).prop_map(str::to_string).boxed()
}

fn dimension() -> Text {
    words(&["lat", "lon", "time", "y", "x", "level", "\"Step\"", "date", "end_"])
}

fn name() -> Text {
    words(&["t2m", "tp", "z", "era5", "e.t2m", "\"two words\"", "doy", "year", "region"])
}

fn alias() -> Text {
    words(&["m", "t2m", "total", "\"Mean\"", "keep_it", "along_y"])
}

fn literal() -> Text {
    words(&[
        "1",
        "-2",
        "3.5",
        "1e-3",
        "'2020-01'",
        "'it''s'",
        "'a''''b'",
        "NULL",
        "true",
        "INTERVAL '6 days'",
        "DATE '2020-01-01'",
        "'2020'::DATE",
        "''",
    ])
}

/// Parts with `separator` between them.
fn joined(part: Text, most: usize, separator: &'static str) -> Text {
    prop::collection::vec(part, 1..=most).prop_map(move |parts| parts.join(separator)).boxed()
}

fn maybe(part: Text) -> Text {
    prop_oneof![Just(String::new()), part].boxed()
}

/// `template` with each `%` replaced by a part.
fn filled<const N: usize>(template: &'static str, parts: [Text; N]) -> Text {
    parts
        .to_vec()
        .prop_map(move |parts| {
            let mut parts = parts.into_iter();
            let pieces: Vec<&str> = template.split('%').collect();
            let mut text = String::new();
            for (index, piece) in pieces.iter().enumerate() {
                text += piece;
                if index + 1 < pieces.len() {
                    text += &parts.next().unwrap();
                }
            }
            text
        })
        .boxed()
}

fn expression() -> Text {
    let leaf = prop_oneof![name(), name(), literal(), dimension(), cells()].boxed();
    leaf.prop_recursive(3, 16, 3, |inner| {
        let inner = inner.boxed();
        let operator = words(&["+", "-", "*", "/", "=", "<", ">=", "AND", "OR", "IS DISTINCT FROM", "||", "LIKE"]);
        prop_oneof![
            filled("(% % %)", [inner.clone(), operator.clone(), inner.clone()]),
            filled("% % %", [name(), operator, inner.clone()]),
            filled("%(%)", [words(&["avg", "max", "nearest", "month"]), inner.clone()]),
            filled("avg(%, weights => %)", [name(), inner.clone()]),
            filled("sum(%) FILTER (WHERE %)", [name(), inner.clone()]),
            filled("CASE WHEN % THEN % ELSE % END", [inner.clone(), inner.clone(), inner.clone()]),
            filled("% IN (%, %)", [name(), literal(), inner.clone()]),
            filled("CAST(% AS DOUBLE)", [inner.clone()]),
            filled("% BETWEEN % AND %", [name(), literal(), literal()]),
            filled("[%, %]", [inner.clone(), inner.clone()]),
            filled("tags['%']", [words(&["k", "a b"])]),
            filled(
                "avg(%) OVER (ALONG %%%)",
                [
                    name(),
                    joined(dimension(), 2, ", "),
                    maybe(filled(" ORDER BY % DESC", [dimension()])),
                    maybe(words(&[" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"])),
                ]
            ),
            filled("EXTRACT(YEAR FROM %)", [name()]),
            filled("- %", [inner.clone()]),
            filled("NOT %", [inner]),
            filled("(FROM % |> REDUCE avg(t2m) AS t)", [source()]),
            filled("(SELECT max(v) FROM %)", [source()]),
        ]
    })
    .boxed()
}

fn cells() -> Text {
    let offset = words(&["", "-1", "+2", " - INTERVAL '6 days'"]);
    let point = filled("%%", [dimension(), offset]);
    let range = prop_oneof![
        filled("%:%", [point.clone(), point.clone()]),
        filled(":%", [point.clone()]),
        filled("%:", [point.clone()]),
        filled("% = %", [dimension(), words(&["1", "'2020'", "1:2", "'a':'b'"])]),
        point,
    ]
    .boxed();
    filled("%[%]", [words(&["t2m", "z", "e.t2m"]), joined(range, 3, ", ")])
}

fn selector() -> Text {
    let value = prop_oneof![literal(), words(&["nearest(51.5, 0.1)", "linear(-0.1)", "(1 + 2)", "a.b"])].boxed();
    let number = words(&["0", "-24", "3", "n", "2 * 3"]);
    let bounds = |bound: Text| {
        prop_oneof![
            filled("%:%", [maybe(bound.clone()), maybe(bound.clone())]),
            filled("%:%:%", [maybe(bound.clone()), bound.clone(), words(&["2", "-1", "n", "2 * n"])]),
            filled("%::%", [maybe(bound.clone()), words(&["2", "-1"])]),
            filled("%: :%", [maybe(bound), words(&["2", "n"])]),
        ]
    };
    prop_oneof![
        filled("% = %", [dimension(), value.clone()]),
        filled("% = %", [dimension(), bounds(value.clone()).boxed()]),
        filled("% IN (%)", [dimension(), joined(value, 3, ", ")]),
        filled("% IN (SELECT a FROM b)", [dimension()]),
        filled("% IN (FROM b |> SELECT a)", [dimension()]),
        filled("%[%]", [dimension(), number.clone()]),
        filled("%[%]", [dimension(), bounds(number).boxed()]),
    ]
    .boxed()
}

fn options() -> Text {
    filled(
        "WITH (% = %%)",
        [words(&["codec", "level", "'a.b'", "Title"]), literal(), maybe(words(&[", overwrite = true", ", b = 'x'"]))],
    )
}

fn source() -> Text {
    let base = words(&[
        "era5",
        "cat.ds",
        "'az://c/it''s.zarr'",
        "\"Big\"",
        "ds.\"lat_lon\"",
        "(SELECT * FROM a)",
        "(FROM a |> MASK b)",
    ]);
    let brackets = filled("[%]", [joined(selector(), 3, ", ")]);
    prop_oneof![
        base.clone(),
        filled("%%", [base.clone(), brackets.clone()]),
        filled("% %%", [words(&["era5", "'a b'"]), options(), maybe(brackets.clone())]),
        filled("(era5% JOIN b USING (y))", [brackets]),
    ]
    .boxed()
}

fn item() -> Text {
    filled(
        "%(%)%",
        [words(&["avg", "max", "quantile"]), expression(), maybe(filled("% %", [words(&[" AS", ""]), alias()]))],
    )
}

fn step() -> Text {
    let items = joined(item(), 2, ", ");
    let dimensions = joined(dimension(), 2, ", ");
    let sizes = joined(filled("% %", [dimension(), words(&["10", "(2 + 3)"])]), 2, ", ");
    let along = filled(" % %", [words(&["ALONG", "KEEP"]), dimensions.clone()]);
    let ours = prop_oneof![
        filled("SEL %", [joined(selector(), 3, ", ")]),
        filled("reduce %%", [items.clone(), maybe(along.clone())]),
        filled("MASK %", [expression()]),
        filled("FILL % %", [name(), words(&["WITH 0", "WITH (1 + 2)", "USING linear ALONG time"])]),
        filled("COARSEN % BY %%", [items.clone(), sizes.clone(), maybe(words(&[" USING trim", " USING pad"]))]),
        filled("RESAMPLE % TO % '1 month'", [items.clone(), dimension()]),
        filled("INTERP % = range(0, 1, 2)%", [dimension(), maybe(words(&[" USING bilinear"]))]),
        filled("WARP TO 'EPSG:3857'%", [maybe(words(&[" USING cubic", " USING average RESOLUTION 30"]))]),
        filled(
            "ALIGN %%%",
            [
                source_to_align(),
                maybe(filled(" AS %", [alias()])),
                maybe(words(&[" USING inner", " USING outer", " USING nearest(1e-4)"])),
            ]
        ),
        filled("CONCAT %, b%", [source_to_align(), maybe(filled(" ALONG %", [dimension()]))]),
        filled("% %", [words(&["STACK", "UNSTACK", "GRID", "TRANSPOSE"]), dimensions.clone()]),
        filled("RECHUNK %", [sizes.clone()]),
        filled("MAP %%", [items.clone(), maybe(along)]),
        filled(
            "INTO %%%%",
            [
                words(&["'az://c/a''b.zarr'", "era5", "cat.ds"]),
                maybe(filled(" CHUNKS (%)", [sizes])),
                maybe(filled(" %", [options()])),
                maybe(words(&[" REGION", " APPEND ALONG time"])),
            ]
        ),
        filled("PLOT %%%", [maybe(items.clone()), maybe(words(&[" TO 'a.png'"])), maybe(filled(" %", [options()])),]),
    ];
    let sql = prop_oneof![
        filled("SELECT % AS a, b", [expression()]),
        filled("EXTEND % AS a", [expression()]),
        filled("WHERE %", [expression()]),
        filled("AGGREGATE % GROUP BY %", [items, dimensions]),
        filled("LIMIT 10%", [maybe(words(&[" OFFSET 3"]))]),
        filled("ORDER BY %", [dimension()]),
        filled("JOIN % AS j ON j.a = b", [source()]),
        filled("UNION ALL (FROM %)", [source()]),
        words(&["RENAME a AS b", "DROP a, b", "AS t", "SET a = 1"]),
    ];
    prop_oneof![3 => ours, 1 => sql].boxed()
}

fn source_to_align() -> Text {
    let brackets = filled("[%]", [joined(selector(), 2, ", ")]);
    filled("%%", [words(&["forecast", "'f.zarr'", "(FROM a |> MASK b)", "cat.ds"]), maybe(brackets)])
}

fn query() -> Text {
    let pipes = prop::collection::vec(step(), 0..4)
        .prop_map(|steps| steps.iter().map(|step| format!(" |> {step}")).collect::<String>())
        .boxed();
    let head = prop_oneof![
        2 => filled("FROM %", [source()]),
        1 => filled("FROM % AS e", [source()]),
        1 => filled("FROM % JOIN % AS b ON e.x = b.x", [source(), source()]),
        1 => filled("SELECT % AS v, y FROM %, % s WHERE %", [expression(), source(), source(), expression()]),
        1 => filled("WITH c AS (FROM %%), d AS (SELECT 1) FROM c", [source(), filled(" |> %", [step()])]),
        1 => filled("(FROM %) UNION ALL (SELECT * FROM %)", [source(), source()]),
        1 => filled("SELECT * FROM a WHERE x IN (FROM %) AND EXISTS (FROM %)", [source(), source()]),
    ];
    filled("%%", [head.boxed(), pipes])
}

fn cluster_statement() -> Text {
    let name = words(&["pc", "\"Night run\"", "cluster", "\"if\"", "jobs", "local"]);
    let number = words(&["1", "3", "250"]);
    let option = |option: &'static str, values: &'static [&'static str]| filled(option, [words(values)]);
    let with = filled(
        " WITH (%, %, %%)",
        [
            option("min = %", &["0", "2"]),
            option("MAX = %", &["4", "10"]),
            option("'cores' = %", &["1", "16"]),
            maybe(
                prop_oneof![
                    option(", memory = %", &["'2 GiB'", "'1.5gb'", "1048577", "' 800 MB '"]),
                    option(", idle_timeout = %", &["'5 minutes'", "'1h 30m'", "90", "1.5", "'250 ms'", "'0.1 days'"]),
                ]
                .boxed(),
            ),
        ],
    );
    prop_oneof![
        filled("CREATE CLUSTER %%%", [maybe(words(&["IF NOT EXISTS "])), name.clone(), maybe(with)]),
        filled("ALTER CLUSTER % SCALE TO %", [name.clone(), number.clone()]),
        filled("alter cluster % adapt between 0 and %", [name.clone(), number]),
        filled("DROP CLUSTER %%", [maybe(words(&["IF EXISTS "])), name.clone()]),
        filled("USE %", [prop_oneof![words(&["LOCAL", "local"]), filled("CLUSTER %", [name.clone()])].boxed()]),
        filled("SHOW %%", [words(&["EXECUTORS", "jobs", "Scaling"]), maybe(filled(" FROM %", [name]))]),
        words(&["SHOW CLUSTERS", "show clusters", "CANCEL JOB 'a1'", "CANCEL JOB 'it''s'"]),
    ]
    .boxed()
}

fn statement() -> Text {
    let query = query();
    prop_oneof![
        6 => query.clone(),
        1 => filled("EXPLAIN %%", [maybe(words(&["ANALYZE ", "VERBOSE "])), query.clone()]),
        1 => filled("CREATE VIEW v AS %", [query.clone()]),
        1 => filled("LET % = %", [alias(), query]),
        1 => filled("ATTACH 'az://c/it''s' AS %%", [alias(), maybe(words(&[" WITH (sas = 'x''y', \"Key\" = 12, a.b = -1)"]))]),
        1 => filled("DETACH %", [alias()]),
        2 => cluster_statement(),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_statement_survives(text in statement()) {
        let printed = round_trip(&text);
        prop_assert!(!printed.contains("CALL "), "{text}\n{printed}");
        prop_assert!(!printed.contains("sel("), "{text}\n{printed}");
    }
}
