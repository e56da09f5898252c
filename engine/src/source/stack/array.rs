//! The cells of a stack as a source of chunks: (time, band, y, x), or (time, y, x) of one band.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::layer::Layer;
use super::manifest::{BandOfAsset, Manifest, SceneEntry};
use super::scene::{OpenScene, SceneFile, cells_of};
use crate::access::AccessPolicy;
use crate::array::{ChunkGrid, Region};
use crate::source::warp::{KeptArray, KeptChunks, Resampler, Window};
use crate::source::{ArraySource, Chunk, SourceError};

/// Scenes of one chunk that are fetched at the same time.
const SCENES_IN_FLIGHT_MAX: usize = 8;

/// Cells by which a scene may reach beyond where its item says that it lies.
const STRAY_CELLS: u64 = 2;

/// The scenes of a cube, opened when their cells are asked for.
#[derive(Debug)]
pub(super) struct Scenes {
    /// What the cube is made of.
    pub manifest: Manifest,
    uri: String,
    access: AccessPolicy,
    open: Vec<OnceCell<Arc<OpenScene>>>,
    kept: Arc<KeptChunks>,
}

impl Scenes {
    /// The scenes of a manifest, for whoever may touch what the policy says.
    pub fn new(uri: String, manifest: Manifest, access: AccessPolicy) -> Self {
        let open = manifest.scenes.iter().map(|_| OnceCell::new()).collect();
        Self { manifest, uri, access, open, kept: Arc::default() }
    }

    /// The type of cells before scenes are laid on each other.
    pub fn layer_type(&self) -> DataType {
        let data_type = &self.manifest.data_type;
        Resampler::of(self.manifest.method, data_type, data_type.is_floating()).data_type().clone()
    }

    async fn scene(&self, number: usize) -> Result<&Arc<OpenScene>, SourceError> {
        let (Some(entry), Some(place)) = (self.manifest.scenes.get(number), self.open.get(number)) else {
            let message = format!("there is no scene {number}");
            return Err(SourceError::Metadata { array: self.uri.clone(), message });
        };
        place.get_or_try_init(|| async { self.open(number, entry).await.map(Arc::new) }).await
    }

    async fn open(&self, number: usize, entry: &SceneEntry) -> Result<OpenScene, SourceError> {
        let named = |error: SourceError| self.broken(&entry.id, &error);
        let file = SceneFile::open(&entry.address, &self.access).await.map_err(named)?;
        self.check(entry, &file).map_err(named)?;
        let keep = |array| Arc::new(KeptArray::new(array, Arc::clone(&self.kept), number)) as Arc<dyn ArraySource>;
        file.towards(&self.manifest.target, self.manifest.method, keep).map_err(named)
    }

    /// An error of a scene, which has it by its name.
    fn broken(&self, id: &str, error: &SourceError) -> SourceError {
        let hint = "on_error => 'skip' leaves out what is missing or cut off";
        SourceError::Metadata {
            array: self.uri.clone(),
            message: format!("scene `{id}` cannot be read: {error} ({hint})"),
        }
    }

    /// Whether a file is what the manifest has it for.
    fn check(&self, entry: &SceneEntry, file: &SceneFile) -> Result<(), SourceError> {
        let (data_type, bands) = file.kind()?;
        if super::describe::common_type(&data_type, &self.manifest.data_type).as_ref() != Some(&self.manifest.data_type)
        {
            let expected = &self.manifest.data_type;
            return Err(file.failed(format!("expected cells of {expected} as in other scenes, found {data_type}")));
        }
        let wanted = self.manifest.bands.iter().filter(|band| band.asset == entry.asset).map(|band| band.number + 1);
        if let Some(wanted) = wanted.max().filter(|&wanted| wanted > bands) {
            return Err(file.failed(format!("expected {wanted} bands as in other scenes, found {bands}")));
        }
        let told = entry.cells;
        let is_inside = cells_of(&file.geobox()?, &self.manifest.target).is_none_or(|found| {
            found.rows.0 + STRAY_CELLS >= told.rows.0
                && found.rows.1 <= told.rows.1 + STRAY_CELLS
                && found.columns.0 + STRAY_CELLS >= told.columns.0
                && found.columns.1 <= told.columns.1 + STRAY_CELLS
        });
        match is_inside {
            true => Ok(()),
            false => Err(file.failed("it does not lie where its item says (proj:transform, proj:shape)".to_string())),
        }
    }

    /// What the scenes of a step give to a window of a band, in the order in which they lie on each other.
    async fn layers(
        &self,
        step: usize,
        band: &BandOfAsset,
        window: Window,
        index: &[u64],
    ) -> Result<Vec<Layer>, SourceError> {
        let scenes = &self.manifest.scenes;
        let first = scenes.partition_point(|scene| scene.step < step);
        let end = scenes.partition_point(|scene| scene.step <= step);
        let wanted: Vec<(usize, Window)> = (first..end)
            .filter(|&number| scenes[number].asset == band.asset)
            .filter_map(|number| Some((number, window.intersection(&scenes[number].cells)?)))
            .collect();
        let layers: Vec<Option<Layer>> = stream::iter(wanted)
            .map(|(number, part)| async move {
                let id = &scenes[number].id;
                let layer = self.scene(number).await?.layer(band.number, part, id, index).await;
                layer.map_err(|error| self.broken(id, &error))
            })
            .buffered(SCENES_IN_FLIGHT_MAX)
            .try_collect()
            .await?;
        Ok(layers.into_iter().flatten().collect())
    }
}

/// A cube, or one band of it.
#[derive(Debug)]
pub(super) struct StackArray {
    scenes: Arc<Scenes>,
    /// The band, where it is a variable of its own.
    band: Option<usize>,
    grid: ChunkGrid,
    name: String,
}

impl StackArray {
    /// The array of all bands, or of one.
    pub fn new(scenes: Arc<Scenes>, band: Option<usize>, name: String) -> Self {
        let manifest = &scenes.manifest;
        let (height, width) = (manifest.target.height, manifest.target.width);
        let mut shape = vec![manifest.times.len() as u64];
        if band.is_none() {
            shape.push(manifest.bands.len() as u64);
        }
        let mut chunk_shape = vec![1; shape.len()];
        shape.extend([height, width]);
        chunk_shape.extend([manifest.side.min(height), manifest.side.min(width)]);
        let grid = ChunkGrid::new(shape, chunk_shape);
        Self { scenes, band, grid, name }
    }
}

#[async_trait]
impl ArraySource for StackArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let failed = |message: String| SourceError::Chunk { array: self.name.clone(), chunk: chunk.to_vec(), message };
        let region = self.grid.find_chunk(chunk).map_err(failed)?;
        let outer = region.rank() - 2;
        let window = Window {
            rows: (region.start[outer], region.end(outer)),
            columns: (region.start[outer + 1], region.end(outer + 1)),
        };
        let number = self.band.unwrap_or_else(|| region.start[1] as usize);
        let Some(band) = self.scenes.manifest.bands.get(number) else {
            return Err(failed(format!("there is no band {number}")));
        };
        let layers = self.scenes.layers(region.start[0] as usize, band, window, chunk).await?;
        let (name, index) = (self.name.clone(), chunk.to_vec());
        Ok(Arc::new(StackChunk { scenes: Arc::clone(&self.scenes), layers, window, region, name, index }))
    }
}

/// A chunk of a cube.
#[derive(Debug)]
struct StackChunk {
    scenes: Arc<Scenes>,
    layers: Vec<Layer>,
    window: Window,
    region: Region,
    name: String,
    index: Vec<u64>,
}

#[async_trait]
impl Chunk for StackChunk {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        for layer in &self.layers {
            layer.wait().await.map_err(|error| self.scenes.broken(&layer.name, &error))?;
        }
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let failed =
            |message: String| SourceError::Chunk { array: self.name.clone(), chunk: self.index.clone(), message };
        let is_inside =
            |d: usize| region.start[d].checked_add(region.shape[d]).is_some_and(|end| end <= self.region.shape[d]);
        if region.rank() != self.region.rank() || !(0..region.rank()).all(is_inside) {
            return Err(failed(format!("{region:?} does not lie in a chunk of {:?}", self.region.shape)));
        }
        let (mosaic, layer_type) = (self.scenes.manifest.mosaic, self.scenes.layer_type());
        if region.is_empty() {
            return Ok(new_empty_array(&mosaic.data_type(&layer_type)));
        }
        let outer = region.rank() - 2;
        let span = |d: usize, first: u64| (first + region.start[d], first + region.end(d));
        let window = Window { rows: span(outer, self.window.rows.0), columns: span(outer + 1, self.window.columns.0) };
        let mut parts = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            if let Some(part) = layer.window.intersection(&window) {
                let cells = layer.read(&part).map_err(|error| self.scenes.broken(&layer.name, &error))?;
                parts.push((part, as_type(&cells, &layer_type).map_err(failed)?));
            }
        }
        mosaic.combine(&window, &parts, &layer_type).map_err(failed)
    }

    fn encoded_size(&self) -> usize {
        self.layers.iter().map(Layer::encoded_size).sum()
    }

    fn memory_size(&self) -> usize {
        // Cells of layers and what is chosen of them, while they are laid on each other.
        let cells = self.window.width().saturating_mul(self.window.height());
        let laid = cells.saturating_mul(self.layers.len() * 8 + 24);
        self.layers.iter().map(Layer::memory_size).fold(laid, usize::saturating_add)
    }
}

/// Cells as a type of the cube; a missing float is a NaN.
fn as_type(cells: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, String> {
    let cells = cast(cells, data_type).map_err(|error| error.to_string())?;
    Ok(match data_type {
        DataType::Float32 if cells.null_count() > 0 => {
            let values = cells.as_primitive::<Float32Type>().iter().map(|value| value.unwrap_or(f32::NAN));
            Arc::new(Float32Array::from_iter_values(values))
        }
        DataType::Float64 if cells.null_count() > 0 => {
            let values = cells.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN));
            Arc::new(Float64Array::from_iter_values(values))
        }
        _ => cells,
    })
}
