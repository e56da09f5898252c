//! The tree keeps its own rules: lengths, edges between crates, no paths of one machine.

use std::path::{Path, PathBuf};

use crate::run::here;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const CRATES: [&str; 6] = ["lang", "engine", "distributed", "repl", "tests", "benches"];

#[test]
fn files_are_short() {
    let long = rust_files().into_iter().filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines, at most {FILE_LINES_MAX}", shown(&path)))
    });
    none(long.collect());
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in rust_files() {
        for (line, name, lines) in functions(&text) {
            if lines > FUNCTION_LINES_MAX {
                long.push(format!("{}:{line}: fn {name}: {lines} lines, at most {FUNCTION_LINES_MAX}", shown(&path)));
            }
        }
    }
    none(long);
}

#[test]
fn functions_are_found() {
    let text = "impl A {\n    pub async fn b<T>(\n        c: T,\n    ) -> T {\n        c\n    }\n}\nfn d() { 1 }\nconst E: &str = \"fn f() {\";\ntrait G {\n    fn h();\n}\n";
    let found: Vec<(usize, String, usize)> = functions(text);
    assert_eq!(found, [(2, "b".to_string(), 5), (8, "d".to_string(), 1)]);
}

#[test]
fn crates_stand_on_those_below_them() {
    let forbidden: [(&str, &[&str]); 3] = [
        ("lang", &["arrow", "datafusion", "tokio", "object_store", "zarrs", "quarray-engine", "quarray"]),
        ("engine", &["quarray", "rustyline", "plotters", "clap"]),
        ("repl", &["zarrs", "object_store"]),
    ];
    let mut wrong = Vec::new();
    for (folder, names) in forbidden {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        for name in dependencies(&manifest) {
            if names.contains(&name.as_str()) {
                wrong.push(format!("{folder}/Cargo.toml: depends on {name}"));
            }
        }
    }
    none(wrong);
}

#[test]
fn crates_inherit_lints_and_versions() {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{folder}/Cargo.toml: no `[lints] workspace = true`"));
        }
        let own = manifest.lines().filter(|line| line.contains("version = \"") || line.contains("path = \"../"));
        wrong.extend(own.map(|line| format!("{folder}/Cargo.toml: {line}: versions stand in the workspace")));
    }
    none(wrong);
}

#[test]
fn only_the_store_opens_urls() {
    let openers = ["parse_url", "AmazonS3Builder", "MicrosoftAzureBuilder", "GoogleCloudStorageBuilder", "HttpBuilder"];
    let mut wrong = Vec::new();
    for (path, text) in rust_files() {
        let shown = shown(&path);
        let is_store = shown.starts_with("engine/src/source/store");
        if is_store || !shown.contains("/src/") {
            continue;
        }
        let opener = openers.iter().find(|name| without_comments(&text).contains(**name));
        wrong.extend(opener.map(|name| format!("{shown}: {name}")));
    }
    none(wrong);
}

#[test]
fn sessions_open_nothing_past_their_policy() {
    // Whoever writes a store with the library has no policy.
    let own = ["engine/src/source/store", "engine/src/sink/zarr/mod.rs"];
    let mut wrong = Vec::new();
    for (path, text) in rust_files() {
        let shown = shown(&path);
        let is_test = shown.contains("/tests") || shown.ends_with("tests.rs");
        if !shown.contains("/src/") || is_test || own.iter().any(|own| shown.starts_with(own)) {
            continue;
        }
        let code = without_comments(&text);
        let openers = ["Store::open(", "LocalFileSystem::new()", "enable_url_table()", "DefaultObjectStoreRegistry"];
        let allowed = ["engine/src/access/"];
        let opener = openers.iter().find(|opener| code.contains(**opener));
        let opener = opener.filter(|_| !allowed.iter().any(|folder| shown.starts_with(folder)));
        wrong.extend(opener.map(|opener| format!("{shown}: {opener}")));
    }
    none(wrong);
}

#[test]
fn kernels_never_wait() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files() {
        let shown = shown(&path);
        if !shown.starts_with("engine/src/kernel/") {
            continue;
        }
        let code = without_comments(&text);
        let waits = ["async ", ".await", "datafusion", "tokio"].into_iter().find(|word| code.contains(word));
        wrong.extend(waits.map(|word| format!("{shown}: {word}")));
    }
    none(wrong);
}

#[test]
fn language_knows_only_text() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files() {
        let shown = shown(&path);
        if !shown.starts_with("lang/src/") {
            continue;
        }
        let code = without_comments(&text);
        let foreign =
            ["arrow::", "datafusion::", "async fn", "std::fs", "std::net"].into_iter().find(|word| code.contains(word));
        wrong.extend(foreign.map(|word| format!("{shown}: {word}")));
    }
    none(wrong);
}

#[test]
fn no_paths_of_one_machine() {
    // Put together here, so that this file does not hold them.
    let marks = [["/ho", "me/"].concat(), ["/ro", "ot/"].concat(), ["/Us", "ers/"].concat(), ["/wo", "rk/"].concat()];
    let mut wrong = Vec::new();
    for path in files(&root(), &["rs", "toml", "md", "sql", "py", "json", "yml", "yaml", "sh"]) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(mark.as_str())) {
                wrong.push(format!("{}:{}: {mark}", shown(&path), number + 1));
            }
        }
    }
    none(wrong);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = rust_files().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    none(silent.map(|(path, _)| format!("{}: no `//!` on the first line", shown(&path))).collect());
}

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Line, name and number of lines of every function with a body.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let header = lines[number..]
            .iter()
            .position(|line| line.trim_end().ends_with('{') || line.trim_end().ends_with(['}', ';']));
        let Some(header) = header else { continue };
        let opening = lines[number + header].trim_end();
        if opening.ends_with(';') {
            continue;
        }
        if header == 0 && opening.ends_with('}') {
            found.push((number + 1, name, 1));
            continue;
        }
        let body = &lines[number + header..];
        if let Some(end) = body.iter().position(|line| line.trim_end() == closing) {
            found.push((number + 1, name, header + end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.trim_start();
    loop {
        let (word, rest) = words.split_once(' ')?;
        match word {
            "fn" => return Some(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()),
            "async" | "const" | "unsafe" | "extern" => words = rest,
            word if word == "pub" || word.starts_with("pub(") => words = rest,
            _ => return None,
        }
    }
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let entries = section.take_while(|line| !line.starts_with('['));
    entries
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(ToString::to_string)
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let paths = CRATES.iter().flat_map(|folder| files(&root().join(folder), &["rs"]));
    let found: Vec<(PathBuf, String)> = paths.map(|path| (path.clone(), read(&path))).collect();
    assert!(found.len() > 30, "{} Rust files under {}", found.len(), root().display());
    found
}

/// The files under a folder with one of these extensions; hidden folders and build outputs are passed over.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && !name.ends_with(".zarr") {
                found.extend(files(&path, extensions));
            }
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|other| extension == *other)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn root() -> PathBuf {
    here().parent().expect("the workspace is above").to_path_buf()
}
