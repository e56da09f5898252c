//! How chunks are compressed: `none`, `zstd(3)`, `gzip(6)`, `lz4`, `blosc(lz4, 5, shuffle)`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// A compressor of chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// Chunks as they are in memory, little-endian.
    None,
    /// Zstandard, level -131072 to 22.
    Zstd {
        /// The level; 3 unless told.
        level: i32,
    },
    /// Gzip, level 0 to 9.
    Gzip {
        /// The level; 5 unless told.
        level: u32,
    },
    /// LZ4 in blosc's frame, shuffled by byte: `blosc(lz4, 5, shuffle)`.
    Lz4,
    /// Blosc.
    Blosc {
        /// `blosclz`, `lz4`, `lz4hc`, `zlib` or `zstd`.
        cname: String,
        /// Level 0 to 9.
        level: u32,
        /// How bytes are put in order first.
        shuffle: Shuffle,
    },
}

/// How blosc puts bytes in order before it compresses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// Not at all.
    None,
    /// By byte: the first bytes of all cells, then the second ones.
    Byte,
    /// By bit.
    Bit,
}

/// Compressors that blosc has here.
const BLOSC_NAMES: [&str; 5] = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"];

impl Default for Codec {
    fn default() -> Self {
        Self::Zstd { level: 3 }
    }
}

impl FromStr for Codec {
    type Err = String;

    /// Reads `name` or `name(argument, …)`.
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (name, arguments) = match lower.split_once('(') {
            Some((name, rest)) => {
                let inside =
                    rest.strip_suffix(')').ok_or_else(|| format!("codec `{text}`: expected `)` at the end"))?;
                (name.trim(), inside.split(',').map(str::trim).filter(|argument| !argument.is_empty()).collect())
            }
            None => (lower.as_str(), vec![]),
        };
        let arguments: Vec<&str> = arguments;
        let arguments_max = match name {
            "zstd" | "gzip" => 1,
            "blosc" => 3,
            _ => 0,
        };
        if arguments.len() > arguments_max {
            return Err(format!(
                "codec `{name}`: expected {arguments_max} arguments at most, found {}",
                arguments.len()
            ));
        }
        let level = |place: usize, otherwise: i32, min: i32, max: i32| match arguments.get(place) {
            None => Ok(otherwise),
            Some(argument) => argument
                .parse::<i32>()
                .ok()
                .filter(|level| (min..=max).contains(level))
                .ok_or_else(|| format!("codec `{name}`: expected a level from {min} to {max}, found `{argument}`")),
        };
        match name {
            "none" | "uncompressed" => Ok(Self::None),
            "zstd" => Ok(Self::Zstd { level: level(0, 3, -131_072, 22)? }),
            "gzip" => Ok(Self::Gzip { level: level(0, 5, 0, 9)?.unsigned_abs() }),
            "lz4" => Ok(Self::Lz4),
            "blosc" => {
                let cname = arguments.first().copied().unwrap_or("lz4");
                if !BLOSC_NAMES.contains(&cname) {
                    return Err(format!("codec `blosc`: expected one of {}, found `{cname}`", BLOSC_NAMES.join(", ")));
                }
                let shuffle = arguments.get(2).copied().unwrap_or("shuffle").parse()?;
                Ok(Self::Blosc { cname: cname.to_string(), level: level(1, 5, 0, 9)?.unsigned_abs(), shuffle })
            }
            _ => Err(format!("unknown codec `{name}`: expected none, zstd, gzip, lz4 or blosc")),
        }
    }
}

impl FromStr for Shuffle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "noshuffle" | "none" => Ok(Self::None),
            "shuffle" => Ok(Self::Byte),
            "bitshuffle" => Ok(Self::Bit),
            _ => Err(format!("codec `blosc`: expected noshuffle, shuffle or bitshuffle, found `{text}`")),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Zstd { level } => write!(f, "zstd({level})"),
            Self::Gzip { level } => write!(f, "gzip({level})"),
            Self::Lz4 => write!(f, "lz4"),
            Self::Blosc { cname, level, shuffle } => write!(f, "blosc({cname}, {level}, {})", shuffle.name()),
        }
    }
}

impl Shuffle {
    fn name(self) -> &'static str {
        match self {
            Self::None => "noshuffle",
            Self::Byte => "shuffle",
            Self::Bit => "bitshuffle",
        }
    }
}

impl Codec {
    /// The entry among the codecs of a version 3 array; `width` is the bytes of a cell, 1 where they vary.
    pub(super) fn metadata_v3(&self, width: usize) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Zstd { level } => Some(json!({"name": "zstd", "configuration": {"level": level, "checksum": false}})),
            Self::Gzip { level } => Some(json!({"name": "gzip", "configuration": {"level": level}})),
            Self::Lz4 => blosc_v3("lz4", 5, Shuffle::Byte, width),
            Self::Blosc { cname, level, shuffle } => blosc_v3(cname, *level, *shuffle, width),
        }
    }

    /// The compressor of a version 2 array.
    pub(super) fn metadata_v2(&self) -> Value {
        let blosc = |cname: &str, level: u32, shuffle: Shuffle| {
            let shuffle = match shuffle {
                Shuffle::None => 0,
                Shuffle::Byte => 1,
                Shuffle::Bit => 2,
            };
            json!({"id": "blosc", "cname": cname, "clevel": level, "shuffle": shuffle, "blocksize": 0})
        };
        match self {
            Self::None => Value::Null,
            Self::Zstd { level } => json!({"id": "zstd", "level": level}),
            Self::Gzip { level } => json!({"id": "gzip", "level": level}),
            Self::Lz4 => blosc("lz4", 5, Shuffle::Byte),
            Self::Blosc { cname, level, shuffle } => blosc(cname, *level, *shuffle),
        }
    }
}

fn blosc_v3(cname: &str, level: u32, shuffle: Shuffle, width: usize) -> Option<Value> {
    let configuration =
        json!({"typesize": width, "cname": cname, "clevel": level, "shuffle": shuffle.name(), "blocksize": 0});
    Some(json!({"name": "blosc", "configuration": configuration}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn codecs_are_read_and_shown_alike() {
        for (text, shown) in [
            ("zstd", "zstd(3)"),
            (" ZSTD( -5 ) ", "zstd(-5)"),
            ("gzip(9)", "gzip(9)"),
            ("lz4", "lz4"),
            ("none", "none"),
            ("blosc", "blosc(lz4, 5, shuffle)"),
            ("blosc(zstd, 1, bitshuffle)", "blosc(zstd, 1, bitshuffle)"),
        ] {
            let codec: Codec = text.parse().unwrap();
            assert_eq!(codec.to_string(), shown);
            assert_eq!(shown.parse::<Codec>().unwrap(), codec);
        }
        for (text, message) in [
            ("zstd(23)", "codec `zstd`: expected a level from -131072 to 22, found `23`"),
            ("zstd(3", "codec `zstd(3`: expected `)` at the end"),
            ("lz4(3)", "codec `lz4`: expected 0 arguments at most, found 1"),
            ("blosc(snappy)", "codec `blosc`: expected one of blosclz, lz4, lz4hc, zlib, zstd, found `snappy`"),
            ("zip", "unknown codec `zip`: expected none, zstd, gzip, lz4 or blosc"),
        ] {
            assert_eq!(text.parse::<Codec>().unwrap_err(), message);
        }
    }
}
