//! Statements to text and back.

use crate::examples::EXAMPLES;
use quarray_lang::{format, parse};

/// Parses the one statement of `text`, prints it, and parses that to the same statement.
pub fn round_trip(text: &str) -> String {
    let statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    let [statement] = statements.as_slice() else { panic!("{text}: {} statements", statements.len()) };
    let printed = format(statement);
    let reparsed = parse(&printed).unwrap_or_else(|errors| panic!("{text}\n{printed}\n{errors:?}"));
    assert_eq!(reparsed.len(), 1, "{printed}");
    assert_eq!(reparsed[0].kind, statement.kind, "{text}\n{printed}");
    assert_eq!(format(&reparsed[0]), printed, "printing is a fixpoint");
    printed
}

#[test]
fn every_example_survives() {
    for example in EXAMPLES {
        for statement in quarray_lang::split(example) {
            let printed = round_trip(&example[statement.start..statement.end]);
            println!("{printed}");
            assert!(!printed.contains("CALL "), "{printed}");
        }
    }
}
