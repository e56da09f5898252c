//! From a box of cells of one grid to the chunks of a source in another that it is computed from.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::chunk::{Piece, WarpedChunk};
use super::geobox::GeoBox;
use super::places::{Places, Way, Window};
use super::resample::{Method, Resampler};
use crate::array::Region;
use crate::source::{ArraySource, SourceError};

/// Cells of a source that one chunk may be computed from.
const SOURCE_CELLS_MAX: u64 = 1 << 28;

/// Chunks whose places are kept: all variables and times of a dataset have the same ones.
const KEPT_PLACES: usize = 8;

/// Chunks of a source that are fetched at the same time for one of ours.
const FETCHES_IN_FLIGHT_MAX: usize = 8;

/// The way between two grids, for all the arrays that lie in them.
#[derive(Debug)]
pub(in crate::source) struct WarpPlan {
    /// The grid of the source.
    pub from: GeoBox,
    /// The grid of the cells that are computed.
    pub to: GeoBox,
    /// From the latter to the former.
    pub way: Way,
    /// How numbers are computed.
    pub method: Method,
    kept: Mutex<VecDeque<(Window, Method, Arc<Places>)>>,
    keeps: usize,
}

/// Some cells of an array that is warped: which, and what they are called in messages.
#[derive(Debug, Clone)]
pub(in crate::source) struct Wanted {
    /// The cells, rows and columns last.
    pub region: Region,
    /// The array.
    pub name: String,
    /// The chunk.
    pub index: Vec<u64>,
}

impl WarpPlan {
    /// The plan from one grid to another.
    pub fn new(from: GeoBox, to: GeoBox, method: Method) -> Result<Self, String> {
        let way = Way::new(&from, &to)?;
        Ok(Self { from, to, way, method, kept: Mutex::default(), keeps: KEPT_PLACES })
    }

    /// A plan that does not remember places: one of many.
    pub fn forgetful(from: GeoBox, to: GeoBox, method: Method) -> Result<Self, String> {
        Ok(Self { keeps: 0, ..Self::new(from, to, method)? })
    }

    /// Fetches what the wanted cells are computed from.
    pub async fn fetch(
        self: &Arc<Self>,
        source: &Arc<dyn ArraySource>,
        resampler: &Resampler,
        wanted: Wanted,
    ) -> Result<WarpedChunk, SourceError> {
        let Wanted { region, name, index } = wanted;
        let failed = |message: String| SourceError::Chunk { array: name.clone(), chunk: index.clone(), message };
        let outer = region.rank().saturating_sub(2);
        let window = Window {
            rows: (region.start[outer], region.end(outer)),
            columns: (region.start[outer + 1], region.end(outer + 1)),
        };
        let (plan, method) = (Arc::clone(self), resampler.method());
        // Computing takes its time, and others wait for this thread.
        let places = tokio::task::spawn_blocking(move || plan.places(window, method)).await;
        let places = places.map_err(|error| failed(error.to_string()))?;
        let of_source = places.wanted(method, &self.way, self.from.width, self.from.height);
        let pieces = match of_source {
            None => Vec::new(),
            Some(of_source) => {
                let mut start = region.start[..outer].to_vec();
                let mut shape = region.shape[..outer].to_vec();
                start.extend([of_source.rows.0, of_source.columns.0]);
                shape.extend([of_source.height() as u64, of_source.width() as u64]);
                let plane = (of_source.height() as u64).saturating_mul(of_source.width() as u64);
                if plane > SOURCE_CELLS_MAX {
                    return Err(failed(format!(
                        "{plane} cells of the source are wanted at once, at most {SOURCE_CELLS_MAX}"
                    )));
                }
                fetch_box(source, &Region::new(start, shape)).await?
            }
        };
        Ok(WarpedChunk {
            places,
            wanted: of_source,
            pieces,
            resampler: resampler.clone(),
            scale: self.way.scale,
            is_aligned: self.way.is_aligned,
            region,
            name,
            index,
        })
    }

    fn places(&self, window: Window, method: Method) -> Arc<Places> {
        let find = |kept: &VecDeque<(Window, Method, Arc<Places>)>| {
            kept.iter().find(|(known, by, _)| (*known, *by) == (window, method)).map(|(_, _, places)| places.clone())
        };
        if let Some(places) = find(&self.kept.lock()) {
            return places;
        }
        let places = Arc::new(self.way.places(&window, method));
        let mut kept = self.kept.lock();
        kept.push_back((window, method, Arc::clone(&places)));
        while kept.len() > self.keeps {
            kept.pop_front();
        }
        places
    }
}

/// Fetches the chunks that hold the cells of a box.
pub(in crate::source) async fn fetch_box(
    source: &Arc<dyn ArraySource>,
    wanted: &Region,
) -> Result<Vec<Piece>, SourceError> {
    let grid = source.grid();
    let chunks = grid.chunks_of(wanted);
    let count = chunks.cells().unwrap_or(0);
    let indexes: Vec<Vec<u64>> = (0..count).map(|number| chunks.cell(number)).collect();
    stream::iter(indexes)
        .map(|index| async move {
            let chunk = source.fetch(&index).await?;
            Ok((grid.chunk_region(&index), chunk))
        })
        .buffered(FETCHES_IN_FLIGHT_MAX)
        .try_collect()
        .await
}
