//! The options of `INTO`.

use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::suggest::{closest, did_you_mean};

use crate::error::Error;
use crate::sink::zarr::Codec;
use crate::source::store::StoreOptions;

const NAMES: [&str; 3] = ["codec", "overwrite", "zarr_version"];

/// What `WITH (…)` says, and what holds without it.
#[derive(Debug, Clone)]
pub(super) struct IntoOptions {
    pub(super) codec: Codec,
    pub(super) overwrite: bool,
    pub(super) zarr_version: u8,
    /// The others: options of the store, which knows them.
    pub(super) store: StoreOptions,
}

impl IntoOptions {
    /// Reads names (in lower case) and values.
    pub(super) fn parse(options: &[(String, String)]) -> Result<Self, Error> {
        let mut parsed =
            Self { codec: Codec::default(), overwrite: false, zarr_version: 3, store: StoreOptions::new() };
        for (name, value) in options {
            match name.as_str() {
                "codec" => parsed.codec = value.parse().map_err(|message: String| refused(message))?,
                "overwrite" => parsed.overwrite = truth(name, value)?,
                "zarr_version" => parsed.zarr_version = version(value)?,
                _ => match closest(name, NAMES) {
                    Some(near) => {
                        let diagnostic = Diagnostic::new(format!("INTO has no option `{name}`"));
                        return Err(Error::Bind(diagnostic.with_help(did_you_mean(near))));
                    }
                    None => drop(parsed.store.insert(name.clone(), value.clone())),
                },
            }
        }
        Ok(parsed)
    }
}

fn truth(name: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" => Ok(true),
        "false" | "0" | "off" => Ok(false),
        _ => Err(refused(format!("{name}: expected true or false, found {value}"))),
    }
}

fn version(value: &str) -> Result<u8, Error> {
    match value {
        "2" => Ok(2),
        "3" => Ok(3),
        _ => Err(refused(format!("zarr_version: expected 2 or 3, found {value}"))),
    }
}

fn refused(message: String) -> Error {
    Error::Bind(Diagnostic::new(message))
}
