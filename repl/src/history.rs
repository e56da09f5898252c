//! Where the shell keeps what was typed.

use std::ffi::OsString;
use std::path::PathBuf;

/// The file of earlier statements: `QUARRAY_HISTORY`, or `quarray/history` in the folder for state. `None` when the
/// variable is empty, or there is no home.
pub fn history_path() -> Option<PathBuf> {
    path_from(|name| std::env::var_os(name))
}

fn path_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(path) = variable("QUARRAY_HISTORY") {
        return (!path.is_empty()).then(|| PathBuf::from(path));
    }
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("quarray/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| variables.iter().find(|known| known.0 == name).map(|known| known.1.into());
            assert_eq!(path_from(variable), expected.map(PathBuf::from));
        };
        check(&[("HOME", "/users/ada")], Some("/users/ada/.local/state/quarray/history"));
        check(&[("HOME", "/users/ada"), ("XDG_STATE_HOME", "/state")], Some("/state/quarray/history"));
        check(
            &[("HOME", "/users/ada"), ("XDG_STATE_HOME", "relative")],
            Some("/users/ada/.local/state/quarray/history"),
        );
        check(&[("QUARRAY_HISTORY", "here"), ("HOME", "/users/ada")], Some("here"));
        check(&[("QUARRAY_HISTORY", ""), ("HOME", "/users/ada")], None);
        check(&[], None);
    }
}
