//! No input ends the process.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use quarray_lang::{complete, format, highlight, is_complete, parse, split};

use crate::completing::Tables;
use crate::examples::EXAMPLES;

/// Runs on a thread with the stack that threads have.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap()
}

fn is_refused(text: String, expected: &'static str) {
    on_a_small_stack(move || {
        let started = Instant::now();
        let errors = parse(&text).unwrap_err();
        assert!(errors[0].message.contains(expected), "{}", errors[0]);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    });
}

fn is_accepted(text: String) {
    on_a_small_stack(move || {
        let started = Instant::now();
        let statements = parse(&text).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let printed = format(&statements[0]);
        assert!(parse(&printed).is_ok());
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}: {}", started.elapsed(), &text[..40]);
    });
}

#[test]
fn what_is_too_deep_is_refused() {
    let operators = "operators are chained or nested here";
    is_refused(format!("SELECT 1{}", "+1".repeat(20_000)), operators);
    is_refused(format!("SELECT a{}", " OR a".repeat(50_000)), operators);
    is_refused(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(20_000)), operators);
    is_refused(format!("SELECT {}1", "NOT ".repeat(50_000)), operators);
    is_refused(format!("SELECT {}1", "- ".repeat(50_000)), operators);
    is_refused(format!("SELECT {}1", "CASE WHEN a THEN ".repeat(20_000)), operators);
    is_refused(format!("FROM x {}", "|> MASK a ".repeat(20_000)), operators);
    is_refused(format!("{} SELECT 1", "EXPLAIN ".repeat(20_000)), operators);
    is_refused(format!("SELECT CAST(a AS {}INT)", "ARRAY<".repeat(20_000)), operators);
    is_refused(format!("SELECT {}", "(".repeat(100_000)), "brackets are open here");
    is_refused(format!("FROM {}", "x[a = ".repeat(100_000)), "brackets are open here");
    is_refused(" ".repeat((1 << 20) + 1), "bytes, more than");
}

#[test]
fn what_is_just_allowed_is_parsed() {
    is_accepted(format!("SELECT 1{}", "+1".repeat(1_990)));
    is_accepted(format!("SELECT a{}", " OR a".repeat(1_990)));
    is_accepted(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_990)));
    is_accepted(format!("SELECT {}1", "NOT ".repeat(1_990)));
    is_accepted(format!("SELECT {}1", "- ".repeat(1_990)));
    is_accepted(format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(900), " END".repeat(900)));
    is_accepted(format!("FROM x {}", "|> MASK a ".repeat(1_900)));
    is_accepted(format!("SELECT {}1{}", "(".repeat(190), ")".repeat(190)));
    is_accepted(format!("SELECT {}1{}", "f(".repeat(190), ")".repeat(190)));
    is_accepted(format!("SELECT * FROM {}a{}", "(".repeat(190), ")".repeat(190)));
    is_accepted(format!("SELECT * FROM {}a{}", "(SELECT * FROM ".repeat(190), ")".repeat(190)));
    is_accepted(format!("FROM {}a{}", "(FROM ".repeat(90), " |> SEL b = 1)[c = 2]".repeat(90)));
    is_accepted(format!("SELECT a FROM b WHERE c = {}1{}", "(SELECT d FROM e WHERE f = ".repeat(100), ")".repeat(100)));
}

#[test]
fn elements_do_not_add_up() {
    is_accepted(format!("SELECT a IN (0{})", ", 1 + 1".repeat(20_000)));
    is_accepted(format!("VALUES (1){}", ", (1 + 1)".repeat(20_000)));
    is_accepted(format!("SELECT f(0{})", ", a * b".repeat(20_000)));
    is_accepted(format!("FROM x[a IN (0{})]", ", -1".repeat(20_000)));
}

/// Runs everything that takes a text.
fn run_all(text: &str) {
    if let Ok(statements) = parse(text) {
        for statement in &statements {
            let printed = format(statement);
            assert!(statement.span.end <= text.len());
            let _ = parse(&printed);
        }
    }
    if let Err(errors) = parse(text) {
        for error in errors {
            assert!(!error.message.is_empty());
            assert!(error.render(text).starts_with("error: "));
            let span = error.span.unwrap_or_default();
            assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
        }
    }
    for span in split(text) {
        assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
    }
    is_complete(text);
    let mut end = 0;
    for (span, _) in highlight(text) {
        assert!(span.start >= end && text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
        end = span.end;
    }
    for cursor in 0..=text.len().min(80) {
        let completion = complete(text, cursor, &Tables);
        assert!(text.get(..completion.start).is_some() && completion.start <= cursor);
    }
}

/// An example with one piece taken out, doubled or put in from another.
fn mutated_example() -> impl Strategy<Value = String> {
    let index = any::<prop::sample::Index>;
    (index(), index(), index(), index(), 0..5_u8).prop_map(|(example, other, from, to, kind)| {
        let text: Vec<char> = EXAMPLES[example.index(EXAMPLES.len())].chars().collect();
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        let (from, to) = (from.min(to), from.max(to));
        let piece: String = text[from..to].iter().collect();
        let (before, after): (String, String) = (text[..from].iter().collect(), text[to..].iter().collect());
        match kind {
            0 => format!("{before}{after}"),
            1 => format!("{before}{piece}{piece}{after}"),
            2 => format!("{before}{}{after}", EXAMPLES[other.index(EXAMPLES.len())]),
            3 => format!("{before}{}{after}", ["[", "]", "(", "::", ":", "'", "|>", "=", ",", "é"][from % 10]),
            _ => before,
        }
    })
}

/// Tokens of the language, with blanks between them.
const TOKENS: &str = "FROM SELECT |> REDUCE SEL ALONG KEEP BY TO WITH INTO CHUNKS APPEND REGION PLOT USING COARSEN OVER \
    PARTITION a b time 'x' 1 -1 [ ] ( ) { } , : :: = => IN AS . ; JOIN ON LET ATTACH DETACH EXPLAIN CREATE VIEW CASE END \
    \"q\" /* -- EXTERNAL TABLE STORED ZARR LOCATION OPTIONS NOT DISTINCT UNION ALL INTERVAL item( list( slice( DROP MASK \
    CLUSTER ALTER SCALE ADAPT ABOVE BETWEEN AND IF EXISTS SHOW JOBS EXECUTORS USE LOCAL CANCEL JOB min memory idle_timeout";

/// Tokens of the language in any order.
fn token_soup() -> impl Strategy<Value = String> {
    let tokens: Vec<&str> = TOKENS.split(' ').filter(|token| !token.is_empty()).collect();
    let separator = prop::sample::select(vec![" ", " ", " ", "\n", ""]);
    let piece = (prop::sample::select(tokens), separator).prop_map(|(token, separator)| format!("{token}{separator}"));
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn long_texts_take_little_time() {
    for (start, piece) in [
        ("SELECT a", ",a"),
        ("SELECT 1 ", "FROM a,"),
        ("SELECT a", ",x[a,b]"),
        ("SELECT a", ",a[1:2]"),
        ("", "a;"),
        ("", "é;\n"),
        ("FROM a", ",(FROM b)"),
        ("FROM a", ",b[c=1]"),
        ("FROM a[b IN (1", ",'é'"),
        ("SELECT ", "OVER (ALONG a),"),
        ("FROM x |> SEL a=1", ",a=1:2"),
        ("FROM x |> REDUCE avg(a)", ",avg(a) AS b"),
        ("", "/*!a*/"),
        ("", "-- a\n"),
        ("SELECT a.b", ".c"),
        ("SELECT ", "a "),
        ("SELECT ", "WHEN a "),
        ("LET a = ", "' ' "),
        ("CREATE CLUSTER a WITH (min=1", ",min=1"),
        ("CREATE CLUSTER a WITH (b=1", ",c"),
        ("CREATE CLUSTER a WITH (memory='", "1"),
        ("CREATE CLUSTER a WITH (idle_timeout='", "1 s "),
        ("CREATE CLUSTER a WITH (max=", "- "),
        ("", "USE CLUSTER a;"),
        ("SHOW JOBS ", "FROM a "),
    ] {
        let text = format!("{start}{}", piece.repeat(100_000 / piece.len()));
        on_a_small_stack(move || {
            let started = Instant::now();
            let _ = parse(&text);
            let parsed = started.elapsed();
            highlight(&text);
            split(&text);
            is_complete(&text);
            complete(&text, text.len(), &Tables);
            let all = started.elapsed();
            println!("{start}{piece}: {parsed:?}, {all:?}");
            assert!(all < Duration::from_secs(20), "{start}{piece}…: {parsed:?}, {all:?}");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_strings_never_panic(text in "\\PC{0,60}") {
        run_all(&text);
    }

    #[test]
    fn token_soup_never_panics(text in token_soup()) {
        run_all(&text);
    }

    #[test]
    fn mutated_examples_never_panic(text in mutated_example()) {
        run_all(&text);
    }
}
