//! The manifests for Kubernetes fit together, and to the command.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::{answer, quarray};
use super::python::python;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../distributed/deploy/kubernetes");

/// Options of a subcommand, by its help.
fn options(subcommand: &str) -> Vec<String> {
    let help = answer(quarray().args([subcommand, "--help"]).output().unwrap());
    let words = help.split_whitespace().filter(|word| word.starts_with("--"));
    words.map(|word| word.trim_end_matches([',', '.', ')']).to_string()).collect()
}

fn manifests() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).unwrap().flatten().map(|entry| entry.path());
    let manifests: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|of| of == "yaml")).collect();
    assert!(manifests.len() > 6, "{manifests:?}");
    manifests
}

#[test]
fn the_command_has_every_option() {
    let mut found = 0;
    for (subcommand, manifest) in [("serve", "server.yaml"), ("executor", "executors.yaml")] {
        let (known, text) = (options(subcommand), std::fs::read_to_string(Path::new(FOLDER).join(manifest)).unwrap());
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "args:").skip(1);
        assert_eq!(lines.next(), Some(format!("- {subcommand}").as_str()), "{manifest}");
        let arguments = lines.take_while(|line| line.starts_with("- ") || line.starts_with('#'));
        for argument in arguments.filter_map(|line| line.strip_prefix("- --")) {
            let option = format!("--{}", argument.split('=').next().unwrap());
            found += 1;
            if OF_OTHER_PARTS.contains(&option.as_str()) && !known.contains(&option) {
                eprintln!("skipped {option} of {manifest}: this build does not have it yet");
                continue;
            }
            assert!(known.contains(&option), "{manifest}: {option} is not one of {known:?}");
        }
    }
    assert_eq!(found, 15);
}

/// Options that come with TLS and users, and with other hosts.
const OF_OTHER_PARTS: [&str; 5] = ["--address", "--secret-file", "--tls-cert", "--tls-key", "--users"];

#[test]
fn manifests_fit_together() {
    let Some(python) = python("manifests for Kubernetes") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/deploy.py");
    let told = answer(Command::new(python).arg(script).args(manifests()).output().unwrap());
    assert_eq!(told.trim(), "12 objects");
}
