//! The Zarr writer: values in any order of regions → a store that is there whole or not at all.
//!
//! A chunk is encoded and put as soon as its last cell has come. The metadata comes last, when it is known which
//! variables have missing cells and which units fit the times.

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use bytes::Bytes;
use zarrs::array::{ArrayBytes, ArrayBytesOffsets, ArrayMetadata, ArrayToBytesCodecTraits, CodecOptions};
use zarrs::storage::store::MemoryStore;

use crate::array::{ChunkGrid, Region};
use crate::source::SourceError;
use crate::source::store::{Store, StoreOptions};
use assembly::Assembly;
use cells::Cells;
use encoding::{CellKind, Encoding};
use metadata::Written;
use target::Target;
use time::{TimeUnits, Wanted};

mod assembly;
mod cells;
mod codec;
mod encoding;
mod metadata;
mod objects;
mod schema;
mod scratch;
mod staging;
mod target;
mod time;
mod waiting;

pub use codec::{Codec, Shuffle};
pub use schema::{Packing, StoreSchema, VariableSchema};

/// Times of up to that many cells wait until all have come, so that their units fit them all (`days since …`).
const TIMES_HELD_MAX: u64 = 1 << 20;

/// Bytes of a decoded chunk at most: what blosc can compress.
const CHUNK_BYTES_MAX: u64 = (1 << 31) - 65_536;

/// Writes one store. Dropped without [`ZarrWriter::finish`], it leaves nothing under the target's name.
#[derive(Debug)]
pub struct ZarrWriter {
    schema: StoreSchema,
    arrays: Vec<ArrayWriter>,
    target: Target,
    summary: WriteSummary,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Chunks that were completed, those included that hold nothing but missing cells and are not stored.
    pub chunks: u64,
    /// Encoded bytes of the stored chunks.
    pub bytes: u64,
}

/// One variable while it is written.
#[derive(Debug)]
struct ArrayWriter {
    encoding: Encoding,
    shape: Vec<u64>,
    /// The chunks as they are stored.
    grid: ChunkGrid,
    /// The chunks as they are put together: a single one for times that wait for their units.
    assembly: Assembly,
    codecs: zarrs::array::Array<MemoryStore>,
    has_missing: bool,
    units: Option<TimeUnits>,
}

/// Refuses a target that [`ZarrWriter::create`] would refuse, before anything is computed.
pub async fn expect_free(target: &Store, overwrite: bool) -> Result<(), SourceError> {
    Target::begin(target.clone(), overwrite).await?.abort().await
}

impl ZarrWriter {
    /// Begins to write a store. One that is there already is a [`SourceError::AlreadyExists`] unless `overwrite`, and
    /// stays as it is until [`Self::finish`].
    pub async fn create(
        target: &str,
        options: &StoreOptions,
        schema: StoreSchema,
        overwrite: bool,
    ) -> Result<Self, SourceError> {
        Self::create_in(Store::open(target, options)?, schema, overwrite).await
    }

    /// The same in a store that was opened already.
    pub async fn create_in(store: Store, schema: StoreSchema, overwrite: bool) -> Result<Self, SourceError> {
        let refused = |message: String| SourceError::Metadata { array: shown(&store.uri), message };
        schema.check().map_err(refused)?;
        let mut arrays = Vec::with_capacity(schema.variables.len());
        for (number, variable) in schema.variables.iter().enumerate() {
            let array = ArrayWriter::new(&schema, number);
            arrays.push(array.map_err(|message| refused(format!("variable `{}`: {message}", variable.name)))?);
        }
        let target = Target::begin(store, overwrite).await?;
        Ok(Self { schema, arrays, target, summary: WriteSummary::default() })
    }

    /// Takes the values of a region of a variable (its number in the schema), in C order. Regions come in any order and
    /// any size, every cell once.
    pub async fn write(&mut self, variable: usize, region: &Region, values: &ArrayRef) -> Result<(), SourceError> {
        self.check(variable, region, values).map_err(|message| self.failed(variable, message))?;
        if region.is_empty() {
            return Ok(());
        }
        let array = &mut self.arrays[variable];
        let encoded = array.encoding.encode(values);
        let (mut cells, has_missing) = encoded.map_err(|message| self.failed(variable, message))?;
        self.arrays[variable].has_missing |= has_missing;
        let chunks = self.arrays[variable].assembly.grid().chunks_of(region);
        for chunk in cells_of(&chunks) {
            let placed = self.arrays[variable].assembly.place(&chunk, region, &mut cells);
            if let Some(whole) = placed.map_err(|message| self.failed(variable, message))? {
                self.completed(variable, &chunk, whole).await?;
            }
        }
        Ok(())
    }

    /// Bytes of cells that wait for the rest of their chunks.
    pub fn buffered_bytes(&self) -> usize {
        self.arrays.iter().map(|array| array.assembly.buffered_bytes()).sum()
    }

    /// Moves cells that wait for the rest of their chunks to the disk, where they can wait there.
    pub fn spill(&mut self) -> Result<(), SourceError> {
        self.arrays
            .iter_mut()
            .try_for_each(|array| array.assembly.spill())
            .map_err(|error| self.target.scratch_error(&error))
    }

    /// Bytes that are held: cells that wait for the rest of their chunks, and chunks that are being stored.
    pub fn memory_size(&self) -> usize {
        self.buffered_bytes() + self.target.bytes_in_flight()
    }

    /// Says of every cell that has not come that it is missing. An error for variables that cannot have missing cells.
    pub async fn fill_rest(&mut self) -> Result<(), SourceError> {
        for variable in 0..self.arrays.len() {
            let array = &mut self.arrays[variable];
            if array.assembly.incomplete_count() == 0 {
                continue;
            }
            if array.encoding.missing.is_none() {
                let message = format!(
                    "{} of its chunks are incomplete, and nothing stands for a missing {}: expected an attribute \
                     _FillValue",
                    array.assembly.incomplete_count(),
                    array.encoding.name_v3
                );
                return Err(self.failed(variable, message));
            }
            array.has_missing = true;
            // Chunks of which no cell came are not stored, and read as missing.
            loop {
                let taken = self.arrays[variable].assembly.take_incomplete();
                let taken = taken.map_err(|message| self.failed(variable, message))?;
                let Some((chunk, cells)) = taken else { break };
                self.completed(variable, &chunk, cells).await?;
            }
            self.arrays[variable].assembly.close();
        }
        Ok(())
    }

    /// Writes the metadata and makes the store appear under its name. A chunk that has not all of its cells is an error
    /// (see [`Self::fill_rest`]), and then nothing appears.
    pub async fn finish(self) -> Result<WriteSummary, SourceError> {
        for (variable, array) in self.arrays.iter().enumerate() {
            let incomplete = array.assembly.incomplete_count();
            if incomplete > 0 {
                let message = format!("{incomplete} of its chunks are incomplete: expected every cell to be written");
                return Err(self.failed(variable, message));
            }
        }
        let written: Vec<Written> = self.arrays.iter().zip(&self.schema.variables).map(written).collect();
        let documents = metadata::documents(&self.schema, &written);
        let documents = documents.into_iter().map(|(key, document)| (key, Bytes::from(format!("{document:#}"))));
        self.target.commit(documents.collect()).await?;
        Ok(self.summary)
    }

    /// Takes away all that was written and waits until it is gone; dropping the writer does so too, without waiting for
    /// a remote store.
    pub async fn abort(self) -> Result<(), SourceError> {
        self.target.abort().await
    }

    fn check(&self, variable: usize, region: &Region, values: &ArrayRef) -> Result<(), String> {
        let Some((array, schema)) = self.arrays.get(variable).zip(self.schema.variables.get(variable)) else {
            return Err(format!("expected one of {} variables, found number {variable}", self.arrays.len()));
        };
        let fits = region.rank() == array.shape.len()
            && (0..region.rank())
                .all(|d| region.start[d].checked_add(region.shape[d]).is_some_and(|end| end <= array.shape[d]));
        if !fits {
            return Err(format!(
                "expected a region inside {:?}, found {:?} cells from {:?}",
                array.shape, region.shape, region.start
            ));
        }
        if values.data_type() != &schema.data_type {
            return Err(format!("expected values of type {}, found {}", schema.data_type, values.data_type()));
        }
        if region.cells() != Some(values.len() as u64) {
            return Err(format!("expected values of a region of {:?} cells, found {}", region.shape, values.len()));
        }
        Ok(())
    }

    /// Stores what the assembly gave: a chunk, or all the times of a variable, whose units can be told now.
    async fn completed(&mut self, variable: usize, chunk: &[u64], mut cells: Cells) -> Result<(), SourceError> {
        let array = &mut self.arrays[variable];
        let (CellKind::Time { tick_ns }, Some(missing), None) =
            (array.encoding.kind, array.encoding.missing.clone(), &array.units)
        else {
            return self.store(variable, chunk, &cells).await;
        };
        let schema = &self.schema.variables[variable];
        let text = |name: &str| schema.attributes.get(name).and_then(|value| value.as_str());
        let of_values = schema.calendar.as_deref();
        let wanted = text("units").map(|units| Wanted {
            units,
            calendar: text("calendar").or(of_values).unwrap_or("standard"),
            of_values,
            may_be_float: schema.packing.is_some(),
        });
        let units = TimeUnits::choose(&cells, &missing, tick_ns, wanted);
        units.apply(&mut cells, &missing, tick_ns);
        if units.is_float {
            array.encoding.hold_floats();
        }
        let missing = array.encoding.padding();
        array.units = Some(units);
        let (grid, all) = (array.grid.clone(), Region::whole(&array.shape));
        for chunk in cells_of(&grid.chunks_of(&all)) {
            let inside = grid.chunk_region(&chunk);
            let whole = Region::new(inside.start.clone(), grid.chunk_shape().to_vec());
            let count = whole.cells().unwrap_or(0) as usize;
            let mut piece = Cells::filled(&missing, count);
            cells::copy_piece(&inside, (&all, &cells), (&whole, &mut piece), |_, _| {});
            self.store(variable, &chunk, &piece).await?;
        }
        Ok(())
    }

    /// Encodes a chunk and puts it; one of nothing but missing cells is left out, as it reads the same.
    async fn store(&mut self, variable: usize, chunk: &[u64], cells: &Cells) -> Result<(), SourceError> {
        let array = &mut self.arrays[variable];
        self.summary.chunks += 1;
        if array.encoding.missing.as_ref().is_some_and(|missing| cells.are_all(missing)) {
            array.has_missing = true;
            return Ok(());
        }
        let encoded = array.compress(cells);
        let encoded = encoded.map_err(|message| self.failed(variable, format!("chunk {chunk:?}: {message}")))?;
        self.summary.bytes += encoded.len() as u64;
        let name = &self.schema.variables[variable].name;
        let key = format!("{name}/{}", metadata::chunk_key(self.schema.zarr_version, chunk));
        self.target.put(key, encoded).await
    }

    fn failed(&self, variable: usize, message: String) -> SourceError {
        let name = self.schema.variables.get(variable).map_or("?", |variable| variable.name.as_str());
        SourceError::Metadata { array: format!("{}/{name}", self.target.uri().trim_end_matches('/')), message }
    }
}

impl ArrayWriter {
    fn new(schema: &StoreSchema, number: usize) -> Result<Self, String> {
        let variable = &schema.variables[number];
        let encoding = Encoding::of(variable)?;
        let shape = schema.shape(number);
        let grid = ChunkGrid::new(shape.clone(), variable.chunk_shape.clone());
        let chunk_bytes = Region::whole(grid.chunk_shape()).cells().and_then(|n| n.checked_mul(encoding.width as u64));
        if chunk_bytes.is_none_or(|bytes| bytes > CHUNK_BYTES_MAX) {
            return Err(format!("expected chunks of {CHUNK_BYTES_MAX} bytes at most, found {:?}", grid.chunk_shape()));
        }
        let is_time = matches!(encoding.kind, CellKind::Time { .. });
        let held = is_time && Region::whole(&shape).cells().is_some_and(|cells| cells <= TIMES_HELD_MAX);
        let units = match encoding.kind {
            CellKind::Time { tick_ns } if !held => Some(TimeUnits::of_ticks(tick_ns)),
            _ => None,
        };
        let assembled = if held {
            ChunkGrid::new(shape.clone(), shape.iter().map(|&length| length.max(1)).collect())
        } else {
            grid.clone()
        };
        let assembly = Assembly::new(assembled, encoding.padding());
        let codecs = codecs(schema, number, &encoding, &shape)?;
        Ok(Self { encoding, shape, grid, assembly, codecs, has_missing: false, units })
    }

    /// The bytes of a chunk as they are stored.
    fn compress(&self, cells: &Cells) -> Result<Bytes, String> {
        let shape: Vec<NonZeroU64> =
            self.grid.chunk_shape().iter().filter_map(|&length| NonZeroU64::new(length)).collect();
        let bytes = match cells {
            Cells::Fixed { bytes, .. } => ArrayBytes::new_flen(bytes.as_slice()),
            Cells::Text(texts) => {
                let mut offsets = vec![0];
                offsets.extend(texts.iter().scan(0, |end, text| {
                    *end += text.len();
                    Some(*end)
                }));
                let offsets = ArrayBytesOffsets::new(offsets).map_err(|e| e.to_string())?;
                ArrayBytes::new_vlen(texts.concat().into_bytes(), offsets).map_err(|e| e.to_string())?
            }
        };
        let options = CodecOptions::default().with_concurrent_target(1);
        let (data_type, fill) = (self.codecs.data_type(), self.codecs.fill_value());
        let encoded = self.codecs.codecs().encode(bytes, &shape, data_type, fill, &options);
        Ok(Bytes::from(encoded.map_err(|e| e.to_string())?.into_owned()))
    }
}

/// The chain of codecs that the metadata describe, made by the same library that reads them.
fn codecs(
    schema: &StoreSchema,
    number: usize,
    encoding: &Encoding,
    shape: &[u64],
) -> Result<zarrs::array::Array<MemoryStore>, String> {
    let variable = &schema.variables[number];
    let array = Written { variable, encoding, shape, has_missing: false, units: None };
    let document = match schema.zarr_version {
        2 => metadata::array_v2(schema, &array),
        _ => metadata::array_v3(schema, &array),
    };
    let metadata: ArrayMetadata = serde_json::from_value(document).map_err(|e| e.to_string())?;
    zarrs::array::Array::new_with_metadata(Arc::new(MemoryStore::new()), "/", metadata).map_err(|e| e.to_string())
}

fn written<'a>((array, variable): (&'a ArrayWriter, &'a VariableSchema)) -> Written<'a> {
    Written {
        variable,
        encoding: &array.encoding,
        shape: &array.shape,
        has_missing: array.has_missing,
        units: array.units.as_ref(),
    }
}

/// The cells of a box, in C order: the indexes of chunks.
fn cells_of(chunks: &Region) -> impl Iterator<Item = Vec<u64>> + use<> {
    let mut next = (!chunks.is_empty()).then(|| chunks.start.clone());
    let chunks = chunks.clone();
    std::iter::from_fn(move || {
        let current = next.take()?;
        let mut following = current.clone();
        for d in (0..chunks.rank()).rev() {
            following[d] += 1;
            if following[d] < chunks.end(d) {
                next = Some(following);
                break;
            }
            following[d] = chunks.start[d];
        }
        Some(current)
    })
}

/// A target before it is opened, without what may be secret in it.
fn shown(target: &str) -> String {
    target.split(['?', '#']).next().unwrap_or_default().to_string()
}
