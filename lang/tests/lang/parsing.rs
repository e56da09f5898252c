//! Text to statements.

use crate::examples::{CLUSTER, EXAMPLES};
use quarray_lang::parse;
use quarray_lang::statement::StatementKind;

#[test]
fn every_example_parses() {
    for example in EXAMPLES {
        match parse(example) {
            Ok(statements) => {
                for statement in statements {
                    if let StatementKind::Sql(sql) = &statement.kind {
                        println!("{sql}");
                    }
                }
            }
            Err(errors) => panic!("{example}\n{errors:?}"),
        }
    }
}

#[test]
fn a_cluster_is_not_there_yet() {
    let errors = parse(CLUSTER).unwrap_err();
    assert_eq!(errors.len(), 5);
    for error in errors {
        assert!(error.message.ends_with("is not there yet"), "{error}");
    }
}
