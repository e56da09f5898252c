//! Codecs that move bytes: byte order, transposition, shuffling.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::Step;
use super::parse::{Position, Refusal, Steps, before_bytes, setting};
use crate::source::zarr::metadata::CodecSpec;
use crate::source::zarr::runs::strides;

/// `bytes`: the cells in C order, in a byte order.
pub(super) fn bytes(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    before_bytes(position)?;
    if position.stored_type.size().is_none() {
        return Err(Refusal::Invalid(format!("cannot hold {:?}", position.stored_type)));
    }
    let big = match spec.text("endian") {
        None | Some("little") => false,
        Some("big") => true,
        Some(found) => return Err(Refusal::Invalid(format!("endian is {found:?}, expected \"little\" or \"big\""))),
    };
    position.serialized = true;
    Ok(swap(position.stored_type.word_size(), big))
}

/// The step that turns words around, where the stored byte order is not the machine's.
pub(super) fn swap(word_size: usize, big: bool) -> Steps {
    match word_size > 1 && big != cfg!(target_endian = "big") {
        true => vec![Arc::new(Swap { word_size })],
        false => Vec::new(),
    }
}

#[derive(Debug)]
struct Swap {
    word_size: usize,
}

impl Step for Swap {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        if !encoded.len().is_multiple_of(self.word_size) {
            return Err(format!("{} bytes are no whole number of {}-byte words", encoded.len(), self.word_size));
        }
        let mut bytes = encoded.to_vec();
        bytes.chunks_exact_mut(self.word_size).for_each(<[u8]>::reverse);
        Ok(bytes.into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        Some(size)
    }
}

/// `transpose`: the order of the dimensions, or "F" for the reverse one.
pub(super) fn transpose(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    before_bytes(position)?;
    let rank = position.shape.len();
    let order: Option<Vec<usize>> = match spec.configuration.get("order") {
        Some(Value::String(text)) if text == "C" => Some((0..rank).collect()),
        Some(Value::String(text)) if text == "F" => Some((0..rank).rev().collect()),
        Some(Value::Array(list)) => list.iter().map(|d| d.as_u64().and_then(|d| usize::try_from(d).ok())).collect(),
        _ => None,
    };
    let is_order = |order: &Vec<usize>| order.len() == rank && (0..rank).all(|d| order.contains(&d));
    let Some(order) = order.filter(is_order) else {
        return Err(Refusal::Invalid(format!(
            "order is {}, expected an order of {rank} dimensions",
            setting(spec, "order")
        )));
    };
    let decoded_shape = position.shape.clone();
    position.shape = order.iter().map(|&d| decoded_shape[d]).collect();
    if order.is_sorted() {
        return Ok(Vec::new());
    }
    let Some(cell_size) = position.stored_type.size() else {
        return Err(Refusal::Invalid(format!("cannot be decoded for {:?}", position.stored_type)));
    };
    Ok(vec![Arc::new(Transpose { decoded_shape, order, cell_size })])
}

/// Dimension `i` of the encoded cells is dimension `order[i]` of the decoded ones.
#[derive(Debug)]
struct Transpose {
    decoded_shape: Vec<u64>,
    order: Vec<usize>,
    cell_size: usize,
}

impl Step for Transpose {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        if Some(encoded.len()) != size {
            return Err(format!("{} bytes to transpose, expected {size:?}", encoded.len()));
        }
        let encoded_shape: Vec<u64> = self.order.iter().map(|&d| self.decoded_shape[d]).collect();
        let encoded_strides = strides(&encoded_shape);
        // The encoded stride of each decoded dimension.
        let mut steps = vec![0; self.order.len()];
        for (encoded_d, &d) in self.order.iter().enumerate() {
            steps[d] = encoded_strides[encoded_d] as usize;
        }
        Ok(gather(&encoded, &self.decoded_shape, &steps, self.cell_size).into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        Some(size)
    }
}

/// The cells in C order of `shape`, each dimension's neighbours `steps` cells apart in `source`.
fn gather(source: &[u8], shape: &[u64], steps: &[usize], cell_size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    let (Some(&row), Some(&step)) = (shape.last(), steps.last()) else { return source.to_vec() };
    let mut index = vec![0u64; shape.len() - 1];
    let mut base = 0usize;
    while out.len() < source.len() {
        for cell in 0..row as usize {
            let at = (base + cell * step) * cell_size;
            out.extend_from_slice(&source[at..at + cell_size]);
        }
        for d in (0..index.len()).rev() {
            index[d] += 1;
            base += steps[d];
            if index[d] < shape[d] {
                break;
            }
            base -= steps[d] * index[d] as usize;
            index[d] = 0;
        }
    }
    out
}

/// `shuffle` of numcodecs: the first bytes of all elements, then the second ones …; what is left over stays at the end.
#[derive(Debug)]
pub(super) struct Shuffle {
    element_size: usize,
}

impl Shuffle {
    pub fn new(spec: &CodecSpec, position: &Position) -> Result<Self, Refusal> {
        match spec.integer("elementsize").unwrap_or(4) {
            // What the C library of netCDF writes; it means the size of a cell.
            0 => Ok(Self { element_size: position.stored_type.size().unwrap_or(1) }),
            size @ 1..=1024 => Ok(Self { element_size: size as usize }),
            found => Err(Refusal::Invalid(format!("elementsize is {found}, expected 1 to 1024"))),
        }
    }
}

impl Step for Shuffle {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        let elements = encoded.len() / self.element_size;
        let whole = elements * self.element_size;
        let mut bytes = vec![0; encoded.len()];
        for (position, plane) in encoded[..whole].chunks_exact(elements.max(1)).enumerate() {
            for (element, &byte) in plane.iter().enumerate() {
                bytes[element * self.element_size + position] = byte;
            }
        }
        bytes[whole..].copy_from_slice(&encoded[whole..]);
        Ok(bytes.into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        Some(size)
    }
}
