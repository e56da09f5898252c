//! From the codecs that the metadata names to the steps that decode them.

use std::sync::Arc;

use serde_json::Value;

use super::{CellKind, Chain, Step, blosc, checksums, compressors, filters, foreign, layout, zfp};
use crate::source::SourceError;
use crate::source::zarr::fill::Fill;
use crate::source::zarr::metadata::CodecSpec;
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::StoredType;

/// What a chunk is at one place in the chain.
#[derive(Debug, Clone)]
pub(super) struct Position<'a> {
    /// Its cells along each dimension.
    pub shape: Vec<u64>,
    /// What a cell is before the chain.
    pub stored_type: &'a StoredType,
    /// The cells of absent chunks.
    pub fill: &'a Fill,
    /// Whether it is bytes already, in the byte order of the array.
    pub serialized: bool,
}

/// The step of a codec: none where decoding does nothing.
pub(super) type Steps = Vec<Arc<dyn Step>>;

/// A number type, and whether its highest byte stands first.
pub(super) type Ordered = (Number, bool);

/// Why a codec cannot be decoded.
pub(super) enum Refusal {
    /// It is not known.
    Unknown,
    /// Its settings or its place are wrong.
    Invalid(String),
}

/// The chain of an array's codecs over chunks of a shape; `array` is its address, for messages.
pub(in crate::source::zarr) fn parse(
    array: &str,
    specs: &[CodecSpec],
    stored_type: &StoredType,
    fill: &Fill,
    chunk_shape: &[u64],
) -> Result<Chain, SourceError> {
    let invalid = |message: String| SourceError::Metadata { array: array.to_string(), message };
    let too_large = || invalid(format!("chunks {chunk_shape:?} do not fit in memory"));
    let cells = chunk_shape.iter().try_fold(1u64, |cells, &length| cells.checked_mul(length)).ok_or_else(too_large)?;
    let cells = usize::try_from(cells).map_err(|_| too_large())?;
    let size = match stored_type.size() {
        Some(size) => Some(size.checked_mul(cells).ok_or_else(too_large)?),
        None => None,
    };
    let mut position = Position { shape: chunk_shape.to_vec(), stored_type, fill, serialized: false };
    let mut chain = Chain { steps: Vec::new(), sizes: vec![size], cells, cell_kind: CellKind::Fixed };
    for spec in specs {
        let steps = steps_of(spec, &mut position, &mut chain.cell_kind).map_err(|refusal| match refusal {
            Refusal::Unknown => {
                SourceError::Unsupported { array: array.to_string(), what: "codec", found: spec.name.clone() }
            }
            Refusal::Invalid(message) => invalid(format!("codec {}: {message}", spec.name)),
        })?;
        for step in steps {
            let size = chain.encoded_size().and_then(|size| step.encoded_size(size));
            chain.sizes.push(size);
            chain.steps.push(step);
        }
    }
    let kinds_agree = stored_type.size().is_some() == (chain.cell_kind == CellKind::Fixed);
    if !position.serialized || !kinds_agree {
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        return Err(invalid(format!("the codecs {names:?} do not make bytes of {stored_type:?}")));
    }
    Ok(chain)
}

/// The steps of one codec.
fn steps_of(spec: &CodecSpec, position: &mut Position, cell_kind: &mut CellKind) -> Result<Steps, Refusal> {
    match spec.name.as_str() {
        "transpose" => layout::transpose(spec, position),
        "bytes" | "endian" => layout::bytes(spec, position),
        "vlen-utf8" | "vlen-bytes" | "vlen_bytes" => {
            *cell_kind = if spec.name == "vlen-utf8" { CellKind::Text } else { CellKind::Binary };
            let fits = match cell_kind {
                CellKind::Text => *position.stored_type == StoredType::Text,
                _ => *position.stored_type == StoredType::Binary,
            };
            before_bytes(position)?;
            position.serialized = true;
            match fits {
                true => Ok(Vec::new()),
                false => Err(Refusal::Invalid(format!("cannot hold {:?}", position.stored_type))),
            }
        }
        "delta" => filters::delta(spec, position),
        "fixedscaleoffset" => filters::fixed_scale_offset(spec, position),
        "quantize" | "astype" => filters::cast(spec, position),
        "bitround" => Ok(Vec::new()),
        "zfpy" => zfp::zfpy(position),
        name => {
            let step = bytes_step(name, spec, position)?;
            match step {
                Some(step) => {
                    after_bytes(position)?;
                    Ok(vec![step])
                }
                None => foreign::steps(spec, position),
            }
        }
    }
}

/// The codecs from bytes to bytes.
fn bytes_step(name: &str, spec: &CodecSpec, position: &Position) -> Result<Option<Arc<dyn Step>>, Refusal> {
    Ok(Some(match name {
        "blosc" => Arc::new(blosc::Blosc),
        "zstd" => Arc::new(compressors::Zstd),
        "gzip" => Arc::new(compressors::Gzip),
        "zlib" => Arc::new(compressors::Zlib),
        "lz4" => Arc::new(compressors::Lz4),
        "lzma" => Arc::new(compressors::Lzma::new(spec)?),
        "crc32c" => Arc::new(checksums::Checksum::crc32c(spec)?),
        "crc32" => Arc::new(checksums::Checksum::crc32(spec)?),
        "adler32" => Arc::new(checksums::Checksum::adler32(spec)?),
        "shuffle" => Arc::new(layout::Shuffle::new(spec, position)?),
        "packbits" if position.serialized => Arc::new(filters::PackBits),
        _ => return Ok(None),
    }))
}

/// Refuses a codec of arrays that stands behind the one that makes bytes.
pub(super) fn before_bytes(position: &Position) -> Result<(), Refusal> {
    match position.serialized {
        true => Err(Refusal::Invalid("stands behind the codec that makes bytes".to_string())),
        false => Ok(()),
    }
}

/// Refuses a codec of bytes that stands before the one that makes bytes.
pub(super) fn after_bytes(position: &Position) -> Result<(), Refusal> {
    match position.serialized {
        true => Ok(()),
        false => Err(Refusal::Invalid("stands before any codec that makes bytes".to_string())),
    }
}

/// A number type that a setting names (`<i2` or `int16`), and whether its highest byte stands first.
pub(super) fn number_setting(spec: &CodecSpec, name: &str) -> Result<Option<Ordered>, Refusal> {
    let Some(value) = spec.configuration.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| match Number::from_name(text) {
        Some(number) => Some((number, cfg!(target_endian = "big"))),
        None => Number::from_kind(text.trim_start_matches(['<', '>', '|', '=']))
            .map(|number| (number, text.starts_with('>'))),
    });
    parsed.map(Some).ok_or_else(|| Refusal::Invalid(format!("{name} is {value}, expected the name of a number type")))
}

/// A setting, for messages.
pub(super) fn setting(spec: &CodecSpec, name: &str) -> String {
    spec.configuration.get(name).unwrap_or(&Value::Null).to_string()
}
