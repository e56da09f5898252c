//! The bands of a picture as a source of chunks: (band, y, x).

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::{concat, nullif};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use async_trait::async_trait;
use parking_lot::Mutex;

use super::decode::{self, Cells};
use super::image::{EncodedWindow, Image, Window};
use crate::array::{ChunkGrid, Region};
use crate::source::cf::{Decoding, Packed};
use crate::source::{ArraySource, Chunk, SourceError};

/// The cells of a picture.
#[derive(Debug)]
pub(super) struct TiffArray {
    image: Arc<Image>,
    mask: Option<Arc<Image>>,
    grid: ChunkGrid,
    meaning: Arc<Meaning>,
}

/// What cells mean.
#[derive(Debug)]
struct Meaning {
    /// Of every band, or of all of them.
    decodings: Vec<Decoding>,
    /// The native bytes of a cell that is not stored.
    fill: Vec<u8>,
    nan_is_missing: bool,
}

impl TiffArray {
    /// The array of a picture, and of another that tells which cells are there. A chunk is a block or, where they may be
    /// joined, several small ones that are near each other.
    pub fn new(
        image: Arc<Image>,
        mask: Option<Arc<Image>>,
        decodings: Vec<Decoding>,
        fill: Option<Packed>,
        nan_is_missing: bool,
        joined: bool,
    ) -> Self {
        let layout = &image.layout;
        let (rows, columns) = if joined { layout.blocks_in_chunk() } else { (1, 1) };
        let chunk_height = (layout.block_height * rows).min(layout.height);
        let chunk_width = (layout.block_width * columns).min(layout.width);
        let grid = ChunkGrid::new(
            vec![layout.bands, layout.height, layout.width],
            vec![layout.bands_in_block(), chunk_height, chunk_width],
        );
        let fill = layout.sample.bytes_of(fill);
        Self { image, mask, grid, meaning: Arc::new(Meaning { decodings, fill, nan_is_missing }) }
    }

    fn failed(&self, chunk: &[u64], message: String) -> SourceError {
        SourceError::Chunk { array: self.image.layout.uri.clone(), chunk: chunk.to_vec(), message }
    }
}

#[async_trait]
impl ArraySource for TiffArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let region = self.grid.find_chunk(chunk).map_err(|message| self.failed(chunk, message))?;
        let range = |d: usize| region.start[d]..region.end(d);
        let window = Window { bands: range(0), rows: range(1), columns: range(2) };
        let failed = |message: String| self.failed(chunk, message);
        let mask = match &self.mask {
            Some(mask) => {
                let failed = |message: String| self.failed(chunk, format!("its mask: {message}"));
                Some(mask.fetch(Window { bands: 0..1, ..window.clone() }).await?.map_err(failed)?)
            }
            None => None,
        };
        let cells = self.image.fetch(window).await?.map_err(failed)?;
        Ok(Arc::new(TiffChunk::new(self, chunk, region, cells, mask)))
    }
}

/// A chunk of a picture.
#[derive(Debug)]
struct TiffChunk {
    uri: String,
    index: Vec<u64>,
    region: Region,
    image: Arc<Image>,
    meaning: Arc<Meaning>,
    /// The encoded cells and mask, until they are decoded.
    encoded: Mutex<Option<(EncodedWindow, Option<EncodedWindow>)>>,
    decoded: OnceLock<Result<(Cells, Option<Cells>), String>>,
    encoded_size: usize,
    memory_size: usize,
}

impl TiffChunk {
    fn new(
        array: &TiffArray,
        index: &[u64],
        region: Region,
        cells: EncodedWindow,
        mask: Option<EncodedWindow>,
    ) -> Self {
        let (image, count) = (array.image.clone(), region.cells().unwrap_or(u64::MAX));
        let layout = &image.layout;
        let size = layout.sample.size() as u64;
        let encoded_size = cells.encoded_size() + mask.as_ref().map_or(0, EncodedWindow::encoded_size);
        let block = layout.samples_per_row().saturating_mul(layout.block_height).saturating_mul(size);
        let of_mask = if mask.is_some() { count } else { 0 };
        // The cells, the block that is being decoded, and what it was before its samples were widened.
        let decoded = count.saturating_mul(size).saturating_add(block.saturating_mul(2)).saturating_add(of_mask);
        let decoded = if cells.encoded_size() == 0 { of_mask } else { decoded };
        Self {
            uri: layout.uri.clone(),
            index: index.to_vec(),
            region,
            meaning: array.meaning.clone(),
            encoded: Mutex::new(Some((cells, mask))),
            decoded: OnceLock::new(),
            encoded_size,
            memory_size: encoded_size.saturating_add(usize::try_from(decoded).unwrap_or(usize::MAX)),
            image,
        }
    }

    fn decoded(&self) -> Result<&(Cells, Option<Cells>), String> {
        let decode = || {
            let Some((cells, mask)) = self.encoded.lock().take() else {
                return Err("its bytes were let go".to_string());
            };
            let mask = mask.map(|mask| decode::window(&mask, &[0])).transpose();
            Ok((decode::window(&cells, &self.meaning.fill)?, mask.map_err(|message| format!("its mask: {message}"))?))
        };
        self.decoded.get_or_init(decode).as_ref().map_err(String::clone)
    }

    fn values(&self, region: &Region) -> Result<ArrayRef, String> {
        let shape = &self.region.shape;
        let is_inside = |d: usize| region.start[d].checked_add(region.shape[d]).is_some_and(|end| end <= shape[d]);
        if region.rank() != 3 || !(0..3).all(is_inside) {
            return Err(format!("{region:?} does not lie in a chunk of {shape:?}"));
        }
        let (cells, mask) = self.decoded()?;
        let count = region.cells().and_then(|cells| usize::try_from(cells).ok()).ok_or("too many cells")?;
        let bytes = gathered(cells, region, shape, &self.meaning.fill)?;
        let stored = self.image.layout.sample.array_of(bytes, count);
        let values = self.meaning.decoded(stored, region, self.region.start[0])?;
        match mask {
            None => Ok(values),
            Some(mask) => {
                let plane =
                    Region::new(vec![0, region.start[1], region.start[2]], vec![1, region.shape[1], region.shape[2]]);
                let there = gathered(mask, &plane, &[1, shape[1], shape[2]], &[0])?;
                masked(values, &there, self.meaning.nan_is_missing)
            }
        }
    }
}

#[async_trait]
impl Chunk for TiffChunk {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let failed = |message| SourceError::Chunk { array: self.uri.clone(), chunk: self.index.clone(), message };
        self.values(region).map_err(failed)
    }

    fn encoded_size(&self) -> usize {
        self.encoded_size
    }

    fn memory_size(&self) -> usize {
        self.memory_size
    }
}

impl Meaning {
    /// What the stored cells of a region mean; `first_band` is that of the chunk.
    fn decoded(&self, stored: ArrayRef, region: &Region, first_band: u64) -> Result<ArrayRef, String> {
        if let [one] = self.decodings.as_slice() {
            return one.decode(stored);
        }
        let cells_of_band = stored.len() / usize::try_from(region.shape[0].max(1)).unwrap_or(usize::MAX);
        let mut bands = Vec::new();
        for band in 0..region.shape[0] as usize {
            let number = (first_band + region.start[0]) as usize + band;
            let Some(decoding) = self.decodings.get(number) else {
                return Err(format!("band {number} is none of {}", self.decodings.len()));
            };
            bands.push(decoding.decode(stored.slice(band * cells_of_band, cells_of_band))?);
        }
        let bands: Vec<&dyn Array> = bands.iter().map(AsRef::as_ref).collect();
        concat(&bands).map_err(|error| error.to_string())
    }
}

/// The cells of a region of a chunk: a slice where they lie together, copied where they do not.
fn gathered(cells: &Cells, region: &Region, shape: &[u64], fill: &[u8]) -> Result<Buffer, String> {
    let size = fill.len();
    let count = region.cells().and_then(|cells| usize::try_from(cells).ok());
    let length = count.and_then(|count| count.checked_mul(size)).ok_or("too many cells")?;
    let stored = match cells {
        Cells::Stored(stored) => stored,
        Cells::Fill if fill.iter().all(|&byte| byte == 0) => return Ok(Buffer::from_vec(vec![0u8; length])),
        Cells::Fill => return Ok(Buffer::from_vec(fill.repeat(length / size.max(1)))),
    };
    let at = |band: u64, row: u64| ((band * shape[1] + row) * shape[2] + region.start[2]) as usize * size;
    if region.is_run_of(shape) && length > 0 {
        let start = at(region.start[0], region.start[1]);
        // Arrow wants numbers at places that they could be read from.
        if (stored.as_ptr() as usize + start).is_multiple_of(size.max(1)) {
            return Ok(stored.slice_with_length(start, length));
        }
    }
    let mut bytes = Vec::with_capacity(length);
    let row_length = region.shape[2] as usize * size;
    for band in region.start[0]..region.end(0) {
        for row in region.start[1]..region.end(1) {
            let start = at(band, row);
            bytes.extend_from_slice(stored.get(start..start + row_length).ok_or("its cells are not there")?);
        }
    }
    Ok(Buffer::from_vec(bytes))
}

/// The values without those that a mask has zeros for; the mask is that of each band.
fn masked(values: ArrayRef, mask: &[u8], nan_is_missing: bool) -> Result<ArrayRef, String> {
    if mask.is_empty() || !mask.contains(&0) {
        return Ok(values);
    }
    match (nan_is_missing, values.data_type()) {
        (true, DataType::Float32) => Ok(with_nans::<Float32Type>(&values, mask, f32::NAN)),
        (true, DataType::Float64) => Ok(with_nans::<Float64Type>(&values, mask, f64::NAN)),
        _ => {
            let missing = BooleanBuffer::collect_bool(values.len(), |cell| mask[cell % mask.len()] == 0);
            nullif(&values, &BooleanArray::new(missing, None)).map_err(|error| error.to_string())
        }
    }
}

fn with_nans<T: ArrowPrimitiveType>(values: &ArrayRef, mask: &[u8], nan: T::Native) -> ArrayRef {
    let values = values.as_primitive::<T>().values().iter().zip(mask.iter().cycle());
    Arc::new(PrimitiveArray::<T>::from_iter_values(values.map(|(&value, &there)| if there == 0 { nan } else { value })))
}
