//! Codecs that the `zarrs` crate decodes: bz2, fletcher32, packbits, pcodec, shards that are decoded whole …

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use zarrs::array::{
    ArrayToBytesCodecTraits, BytesRepresentation, BytesToBytesCodecTraits, Codec, CodecOptions, DataType, FillValue,
};
use zarrs::metadata::v3::MetadataV3;

use super::Step;
use super::parse::{Position, Refusal, Steps, after_bytes, before_bytes};
use crate::source::zarr::fill::Fill;
use crate::source::zarr::metadata::CodecSpec;
use crate::source::zarr::stored_type::StoredType;

/// The names of codecs that have the prefix `numcodecs.` there.
const NUMCODECS: [&str; 3] = ["bz2", "fletcher32", "pcodec"];

/// The step of a codec that is not our own.
pub(super) fn steps(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    let name = match NUMCODECS.contains(&spec.name.as_str()) {
        true => format!("numcodecs.{}", spec.name),
        false => spec.name.clone(),
    };
    let metadata: MetadataV3 = serde_json::from_value(json!({"name": name, "configuration": spec.configuration}))
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    let codec = guarded(|| Codec::from_metadata(&metadata).map_err(|error| error.to_string()));
    match codec {
        Ok(Codec::BytesToBytes(codec)) => {
            after_bytes(position)?;
            Ok(vec![Arc::new(ForeignBytes { codec })])
        }
        Ok(Codec::ArrayToBytes(codec)) => {
            before_bytes(position)?;
            let step = ForeignArray::new(codec, position)?;
            position.serialized = true;
            Ok(vec![Arc::new(step)])
        }
        Ok(Codec::ArrayToArray(_)) => Err(Refusal::Unknown),
        Err(message) if spec.name == "sharding_indexed" => Err(Refusal::Invalid(message)),
        Err(_) => Err(Refusal::Unknown),
    }
}

#[derive(Debug)]
struct ForeignBytes {
    codec: Arc<dyn BytesToBytesCodecTraits>,
}

impl Step for ForeignBytes {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let representation = match size {
            Some(size) => BytesRepresentation::FixedSize(size as u64),
            None => BytesRepresentation::UnboundedSize,
        };
        guarded(|| {
            let decoded = self.codec.decode(encoded.to_vec().into(), &representation, &options());
            decoded.map(|bytes| bytes.into_owned().into()).map_err(|error| error.to_string())
        })
    }
}

#[derive(Debug)]
struct ForeignArray {
    codec: Arc<dyn ArrayToBytesCodecTraits>,
    shape: Vec<NonZeroU64>,
    data_type: DataType,
    fill: FillValue,
}

impl ForeignArray {
    fn new(codec: Arc<dyn ArrayToBytesCodecTraits>, position: &Position) -> Result<Self, Refusal> {
        let name = match position.stored_type {
            StoredType::Bool => "bool",
            StoredType::Number(number) => number.name(),
            found => return Err(Refusal::Invalid(format!("cannot hold {found:?}"))),
        };
        let Fill::Bytes(fill) = position.fill else { return Err(Refusal::Unknown) };
        let shape = position.shape.iter().map(|&length| NonZeroU64::new(length)).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| Refusal::Invalid("a chunk length is 0".to_string()))?;
        let data_type =
            DataType::from_metadata(&MetadataV3::new(name)).map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(Self { codec, shape, data_type, fill: FillValue::new(fill.clone()) })
    }
}

impl Step for ForeignArray {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        guarded(|| {
            let decoded =
                self.codec.decode(encoded.to_vec().into(), &self.shape, &self.data_type, &self.fill, &options());
            let fixed = decoded.map_err(|error| error.to_string())?.into_fixed().map_err(|error| error.to_string())?;
            Ok(fixed.into_owned().into())
        })
    }
}

/// One thread: the engine has its own.
fn options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

/// Runs code of other authors on untrusted bytes: its panics become errors.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("the decoder gave up on it".to_string()))
}
