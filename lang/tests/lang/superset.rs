//! Plain SQL means what it means without the array syntax.

use std::path::{Path, PathBuf};

use quarray_lang::statement::StatementKind;
use quarray_lang::{format, parse, parse_stock};

#[test]
fn plain_sql_keeps_its_syntax_tree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let checked = check_folder(&folder);
    assert!(checked > 1_000, "only {checked} statements were found");
}

#[test]
fn plain_sql_keeps_its_syntax_tree_in_the_wide_set() {
    let Some(folder) = std::env::var_os("QUARRAY_SHARED_DATA") else {
        println!("skipped: QUARRAY_SHARED_DATA is not set");
        return;
    };
    let checked = check_folder(&Path::new(&folder).join("sql"));
    println!("{checked} statements checked");
    assert!(checked > 1_000, "only {checked} statements were found");
}

fn check_folder(folder: &Path) -> usize {
    let mut checked = 0;
    let mut failures = Vec::new();
    for file in slt_files(folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        for statement in statements_of(&text) {
            checked += usize::from(check(&statement, &mut failures));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
    checked
}

/// Whether stock sqlparser reads the text, so that there was something to compare.
fn check(text: &str, failures: &mut Vec<String>) -> bool {
    let Ok(stock) = parse_stock(text) else { return false };
    let statements = match parse(text) {
        Ok(statements) => statements,
        Err(errors) => {
            failures.push(format!("{text}\n{errors:?}"));
            return true;
        }
    };
    let own: Vec<_> = statements.iter().map(|statement| &statement.kind).collect();
    let same = own.len() == stock.len()
        && own.iter().zip(&stock).all(|(own, stock)| match own {
            StatementKind::Sql(sql) => sql.as_ref() == stock,
            // For DataFusion's own parser, which gets the text.
            StatementKind::Stock(text) => {
                let text = text.to_uppercase();
                text.starts_with("COPY") || text.starts_with("EXPLAIN COPY") || text.contains("EXTERNAL TABLE")
            }
            _ => false,
        });
    if !same {
        failures.push(format!("{text}\nhas another syntax tree: {own:?}\n{stock:?}"));
    }
    for statement in &statements {
        let printed = format(statement);
        if parse(&printed).is_ok_and(|again| again.len() == 1 && again[0].kind == statement.kind) {
            continue;
        }
        let is_printed_by_stock = match &statement.kind {
            StatementKind::Sql(sql) => {
                parse_stock(&sql.to_string()).is_ok_and(|again| again.len() == 1 && again[0] == **sql)
            }
            _ => true,
        };
        if is_printed_by_stock {
            failures.push(format!("{text}\nis printed as\n{printed}"));
        } else {
            println!("stock sqlparser prints it wrongly: {text}");
        }
    }
    true
}

fn slt_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The statements and queries of a sqllogictest file.
fn statements_of(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("statement ") && !line.starts_with("query") {
            continue;
        }
        let sql: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim().is_empty() && line.trim() != "----").collect();
        statements.push(sql.join("\n"));
    }
    statements
}
