//! One scene of a stack: where it lies, and which of its resolutions is read.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::layer::{Layer, LayerCells};
use crate::access::AccessPolicy;
use crate::array::Region;
use crate::source::file::SourceFile;
use crate::source::open::{decode_options, split_options};
use crate::source::stac::AssetAddress;
use crate::source::tiff::Scene;
use crate::source::warp::{
    Affine, Crs, GeoBox, Method, Resampler, Wanted, WarpPlan, Way, Window, bounds_in, fetch_box,
};
use crate::source::zarr::DecodeOptions;
use crate::source::{ArraySource, SourceError};

/// A level that is coarser than the cube by less than this is as fine.
const FINE_ENOUGH: f64 = 1e-3;

/// How much of its extent a scene may reach beyond the places along its edges that were looked at.
const EDGE_SHARE: f64 = 0.002;

/// A file that was opened.
#[derive(Debug)]
pub(super) struct SceneFile {
    /// What it says of itself.
    pub scene: Scene,
    decode: DecodeOptions,
}

/// A scene on its way to the cube.
#[derive(Debug)]
pub(super) struct OpenScene {
    plan: Arc<WarpPlan>,
    array: Arc<dyn ArraySource>,
    resampler: Resampler,
}

impl SceneFile {
    /// Opens the file at an address.
    ///
    /// # Errors
    /// Those of the store and of the format.
    pub async fn open(address: &AssetAddress, access: &AccessPolicy) -> Result<Self, SourceError> {
        let (read, reach) = split_options(&address.options);
        let decode = decode_options(&address.uri, &read)?;
        let scene = Scene::open(SourceFile::open(&address.uri, &reach, access)?).await?;
        Ok(Self { scene, decode })
    }

    /// Where it lies, at the full resolution.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where the file does not tell.
    pub fn geobox(&self) -> Result<GeoBox, SourceError> {
        self.geobox_at(0)
    }

    fn geobox_at(&self, level: usize) -> Result<GeoBox, SourceError> {
        let Some(crs) = &self.scene.crs else {
            return Err(self.failed("expected a reference system, found none".to_string()));
        };
        let crs = Crs::parse(crs).map_err(|message| self.failed(message))?;
        let (Some(transform), Some(found)) = (self.scene.transform_at(level), self.scene.levels.get(level)) else {
            return Err(self.failed("expected where its cells lie, found nothing".to_string()));
        };
        Ok(GeoBox { crs, transform: Affine(transform), width: found.width, height: found.height })
    }

    /// The type of its cells, and how many bands it has.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where it has none.
    pub fn kind(&self) -> Result<(DataType, u64), SourceError> {
        Ok((self.scene.band_data(0, &self.decode)?.data_type, self.scene.bands.len() as u64))
    }

    /// The resolution of a grid as a share of that which is read for it, along columns and rows.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where the file does not tell where it lies.
    pub fn scale_towards(&self, target: &GeoBox) -> Result<(f64, f64), SourceError> {
        let from = self.geobox_at(self.level_for(target)?)?;
        Ok(Way::new(&from, target).map_err(|message| self.failed(message))?.scale)
    }

    /// The coarsest level that is not coarser than a grid.
    fn level_for(&self, target: &GeoBox) -> Result<usize, SourceError> {
        let full = self.geobox()?;
        let way = Way::new(&full, target).map_err(|message| self.failed(message))?;
        // Cells of the full resolution that one of the target goes along.
        let (along_x, along_y) = (1.0 / way.scale.0, 1.0 / way.scale.1);
        let is_fine = |level: usize| {
            self.scene.levels.get(level).is_some_and(|found| {
                let wider = full.width as f64 / found.width as f64;
                let higher = full.height as f64 / found.height as f64;
                wider <= along_x * (1.0 + FINE_ENOUGH) && higher <= along_y * (1.0 + FINE_ENOUGH)
            })
        };
        Ok((1..self.scene.levels.len()).rev().find(|&level| is_fine(level)).unwrap_or(0))
    }

    /// The scene on its way to a grid.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where the file does not tell where it lies.
    pub fn towards(
        self,
        target: &GeoBox,
        method: Method,
        keep: impl Fn(Arc<dyn ArraySource>) -> Arc<dyn ArraySource>,
    ) -> Result<OpenScene, SourceError> {
        let level = self.level_for(target)?;
        let data = self.scene.band_data_by_blocks(level, &self.decode)?;
        let from = self.geobox_at(level)?;
        let plan = WarpPlan::forgetful(from, target.clone(), method).map_err(|message| self.failed(message))?;
        let resampler = Resampler::of(method, &data.data_type, data.nan_is_missing);
        Ok(OpenScene { plan: Arc::new(plan), array: keep(data.array), resampler })
    }

    /// An error of the file.
    pub fn failed(&self, message: String) -> SourceError {
        SourceError::Metadata { array: self.scene.uri.clone(), message }
    }
}

/// The rows and columns of a grid that a box lies in; `None` where it lies in none.
pub(super) fn cells_of(scene: &GeoBox, target: &GeoBox) -> Option<Window> {
    let [left, bottom, right, top] = bounds_in(scene, &target.crs).ok()?;
    let back = target.transform.inverse()?;
    let corners = [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| back.apply(x, y));
    let span = |of: fn(&(f64, f64)) -> f64, length: u64| {
        let (low, high) = corners
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
        let margin = 1.0 + (high - low) * EDGE_SHARE;
        let (low, high) = ((low - margin).floor().max(0.0), (high + margin).ceil().min(length as f64));
        (low < high).then_some((low as u64, high as u64))
    };
    Some(Window { rows: span(|place| place.1, target.height)?, columns: span(|place| place.0, target.width)? })
}

impl OpenScene {
    /// Fetches a band's cells in a window of the cube; `None` where it has none of them. The scene and the cube's chunk are
    /// named in messages.
    pub async fn layer(
        &self,
        band: u64,
        window: Window,
        name: &str,
        index: &[u64],
    ) -> Result<Option<Layer>, SourceError> {
        let name = name.to_string();
        if self.plan.way.is_aligned {
            let Some((window, row, column)) = self.pasted(&window) else { return Ok(None) };
            let shape = vec![1, window.height() as u64, window.width() as u64];
            let pieces = fetch_box(&self.array, &Region::new(vec![band, row, column], shape)).await?;
            return Ok(Some(Layer { window, cells: LayerCells::Pasted { pieces, origin: [band, row, column] }, name }));
        }
        let shape = vec![1, window.height() as u64, window.width() as u64];
        let region = Region::new(vec![band, window.rows.0, window.columns.0], shape);
        let wanted = Wanted { region, name: name.clone(), index: index.to_vec() };
        let chunk = self.plan.fetch(&self.array, &self.resampler, wanted).await?;
        Ok(Some(Layer { window, cells: LayerCells::Warped(Box::new(chunk)), name }))
    }

    /// The part of a window that the scene has, and the row and column of its first cell in the scene.
    fn pasted(&self, window: &Window) -> Option<(Window, u64, u64)> {
        let (column, row) = (window.columns.0, window.rows.0);
        let (x, y) = self.plan.way.place(column as f64 + 0.5, row as f64 + 0.5);
        let span = |place: f64, (first, end): (u64, u64), length: u64| {
            let shift = place.floor() as i64 - first as i64;
            let low = (first as i64).max(-shift);
            let high = (end as i64).min(length as i64 - shift);
            (low < high).then_some(((low as u64, high as u64), (low + shift) as u64))
        };
        let (rows, row) = span(y, window.rows, self.plan.from.height)?;
        let (columns, column) = span(x, window.columns, self.plan.from.width)?;
        Some((Window { rows, columns }, row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_lie_in_cells() -> Result<(), String> {
        let grid = |code: u32, left: f64, top: f64, width: u64, height: u64| -> Result<GeoBox, String> {
            let transform = Affine::north_up(left, top, 10.0, 10.0);
            Ok(GeoBox { crs: Crs::epsg(code)?, transform, width, height })
        };
        let target = grid(32633, 500_000.0, 6_000_000.0, 1000, 800)?;
        let inside = cells_of(&grid(32633, 501_000.0, 5_999_000.0, 200, 100)?, &target).ok_or("nowhere")?;
        assert!(inside.rows.0 <= 99 && inside.rows.1 >= 201 && inside.columns.0 <= 99 && inside.columns.1 >= 301);
        assert!(inside.height() < 110 && inside.width() < 210, "{inside:?}");
        assert_eq!(cells_of(&grid(32633, 400_000.0, 5_999_000.0, 200, 100)?, &target), None);
        assert_eq!(cells_of(&grid(32632, 501_000.0, 5_999_000.0, 200, 100)?, &target), None);
        Ok(())
    }
}
