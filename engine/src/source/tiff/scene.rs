//! A georeferenced picture: what a TIFF file says of itself, and its bands at every resolution that it has.

use std::sync::Arc;

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

use super::array::TiffArray;
use super::directory::{self, Directory};
use super::gdal_metadata::{self, BandMetadata};
use super::georeference::{self, Georeference};
use super::image::Image;
use super::layout::Layout;
use super::reader::Reader;
use super::tags;
use crate::source::cf::{Decoding, Packed, Rules};
use crate::source::file::SourceFile;
use crate::source::zarr::DecodeOptions;
use crate::source::{ArraySource, SourceError};

/// A picture of one or more bands, with its place on the ground and its overviews. Nothing in it is pixels.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The file's address, secrets taken out.
    pub uri: String,
    /// Its bands, in their order.
    pub bands: Vec<Band>,
    /// The stored value that stands for a missing cell.
    pub nodata: Option<Packed>,
    /// How a place in the picture becomes a place on the ground: GDAL's six numbers, for the corner of the first cell,
    /// so that x = t[0] + column * t[1] + row * t[2] and y = t[3] + column * t[4] + row * t[5].
    pub transform: Option<[f64; 6]>,
    /// The EPSG code of the (horizontal) reference system, where the file names one.
    pub epsg: Option<u32>,
    /// The reference system as `EPSG:32633`, with its vertical one as `EPSG:32633+3855`, or in the words of PROJ
    /// (`+proj=sinu …`) where it has no code and is one of the common ones.
    pub crs: Option<String>,
    /// Whether the file says that its values are those of points, not of areas. The transform is one of corners anyway.
    pub pixel_is_point: bool,
    /// The resolutions: the full one first, then the overviews from fine to coarse.
    pub levels: Vec<Level>,
}

/// One band of a scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// What the file calls it.
    pub description: Option<String>,
    /// What a stored value is multiplied by.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

/// A scene at one resolution.
#[derive(Debug, Clone)]
pub struct Level {
    /// Rows of cells.
    pub height: u64,
    /// Columns of cells.
    pub width: u64,
    image: Arc<Image>,
    mask: Option<Arc<Image>>,
}

/// The cells of a scene at one resolution: (band, y, x).
#[derive(Debug, Clone)]
pub struct BandData {
    /// The cells.
    pub array: Arc<dyn ArraySource>,
    /// The Arrow type of decoded cells.
    pub data_type: DataType,
    /// Whether a missing cell is a NaN among the decoded ones. Otherwise it is a null.
    pub nan_is_missing: bool,
    /// The attributes that decoding goes by: `_FillValue`, `scale_factor`, `add_offset`; `scales` and `offsets` where
    /// bands have different ones.
    pub attributes: Map<String, Value>,
}

impl Scene {
    /// Reads what a file says of itself, in two requests for most files. Overviews and masks come along.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where it is no TIFF file or a broken one, [`SourceError::Unsupported`] where it keeps its
    /// cells in a way that is not read, and those of the store.
    pub async fn open(file: SourceFile) -> Result<Self, SourceError> {
        let mut reader = Reader::open(file).await?;
        let directories = directory::read_all(&mut reader).await?;
        let Some(first) = directories.first() else {
            return Err(reader.wrong("no image file directory"));
        };
        let image = |directory: &Directory| Image::new(&reader, directory);
        let full = Arc::new(image(first)?);
        let mut levels = vec![Level::of(full.clone())];
        for directory in directories.iter().skip(1).filter(|directory| directory.is_overview()) {
            // What cannot be read at a low resolution does not keep the full one from being read.
            let Ok(overview) = image(directory) else { continue };
            if overview.layout.is_overview_of(&full.layout) {
                levels.push(Level::of(Arc::new(overview)));
            }
        }
        levels[1..].sort_by_key(|level| std::cmp::Reverse(level.width.saturating_mul(level.height)));
        for directory in directories.iter().skip(1).filter(|directory| directory.is_mask()) {
            let mask = Arc::new(image(directory)?);
            for level in levels.iter_mut().filter(|level| level.mask.is_none() && level.has_mask(&mask.layout)) {
                level.mask = Some(mask.clone());
            }
        }
        let Georeference { transform, epsg, crs, pixel_is_point } = georeference::of(first);
        let bands = bands(first, full.layout.bands);
        let nodata = first.text(tags::GDAL_NODATA).and_then(|text| gdal_metadata::nodata(&text));
        Ok(Self { uri: reader.uri, bands, nodata, transform, epsg, crs, pixel_is_point, levels })
    }

    /// The transform at a level: cells are larger there.
    pub fn transform_at(&self, level: usize) -> Option<[f64; 6]> {
        let (full, level) = (self.levels.first()?, self.levels.get(level)?);
        let [x, x_by_column, x_by_row, y, y_by_column, y_by_row] = self.transform?;
        let wider = full.width as f64 / level.width as f64;
        let higher = full.height as f64 / level.height as f64;
        Some([x, x_by_column * wider, x_by_row * higher, y, y_by_column * wider, y_by_row * higher])
    }

    /// The cells at a level: 0 is the full resolution. Small blocks that are near each other are one chunk.
    ///
    /// # Errors
    /// [`SourceError::Address`] where there is no such level.
    pub fn band_data(&self, level: usize, options: &DecodeOptions) -> Result<BandData, SourceError> {
        self.cells(level, options, true)
    }

    /// The cells at a level for whoever wants few of them: every block is a chunk.
    ///
    /// # Errors
    /// [`SourceError::Address`] where there is no such level.
    pub fn band_data_by_blocks(&self, level: usize, options: &DecodeOptions) -> Result<BandData, SourceError> {
        self.cells(level, options, false)
    }

    fn cells(&self, level: usize, options: &DecodeOptions, joined: bool) -> Result<BandData, SourceError> {
        let Some(found) = self.levels.get(level) else {
            let overviews = self.levels.len() - 1;
            let message = format!("overview {level}: expected at most {overviews}, the overviews that there are");
            return Err(SourceError::Address { uri: self.uri.clone(), message });
        };
        let stored = found.image.layout.sample.arrow();
        let rules = Rules { decode_cf: options.decode_cf, nan_as_null: options.nan_as_null };
        let attributes = self.packing();
        let is_packed = self.bands.iter().any(Band::is_packed);
        let decodings: Vec<Decoding> = match attributes.contains_key("scales") {
            false => vec![Decoding::new(&stored, &attributes, None, rules)],
            true => {
                self.bands.iter().map(|band| Decoding::new(&stored, &self.own(band, is_packed), None, rules)).collect()
            }
        };
        let Some((data_type, nan_is_missing)) =
            decodings.first().map(|decoding| (decoding.data_type().clone(), decoding.nan_is_missing()))
        else {
            return Err(SourceError::Metadata { array: self.uri.clone(), message: "no bands".to_string() });
        };
        let mask = found.mask.clone().filter(|_| options.decode_cf);
        let fill = self.nodata;
        let array = TiffArray::new(found.image.clone(), mask, decodings, fill, nan_is_missing, joined);
        Ok(BandData { array: Arc::new(array), data_type, nan_is_missing, attributes })
    }

    /// Whether all blocks lie in the file that the tables of blocks have: one that was cut off has not.
    ///
    /// # Errors
    /// [`SourceError::Metadata`] where a block lies beyond the end, and those of the store.
    pub async fn check_whole(&self) -> Result<(), SourceError> {
        for level in &self.levels {
            level.image.check_whole().await?;
            if let Some(mask) = &level.mask {
                mask.check_whole().await?;
            }
        }
        Ok(())
    }

    /// The attributes that say how all bands are packed.
    fn packing(&self) -> Map<String, Value> {
        let Some(first) = self.bands.first() else { return Map::new() };
        let is_packed = self.bands.iter().any(Band::is_packed);
        if self.bands.iter().all(|band| (band.scale, band.offset) == (first.scale, first.offset)) {
            return self.own(first, is_packed);
        }
        let mut attributes = self.own(first, false);
        attributes.insert("scales".into(), self.bands.iter().map(|band| json!(band.scale)).collect());
        attributes.insert("offsets".into(), self.bands.iter().map(|band| json!(band.offset)).collect());
        attributes
    }

    /// The attributes that say how one band is packed.
    fn own(&self, band: &Band, is_packed: bool) -> Map<String, Value> {
        let mut attributes = Map::new();
        if let Some(nodata) = self.nodata {
            attributes.insert("_FillValue".into(), gdal_metadata::json_of(nodata));
        }
        if is_packed {
            attributes.insert("scale_factor".into(), json!(band.scale));
            attributes.insert("add_offset".into(), json!(band.offset));
        }
        attributes
    }
}

impl Band {
    fn is_packed(&self) -> bool {
        (self.scale, self.offset) != (1.0, 0.0)
    }
}

impl Level {
    fn of(image: Arc<Image>) -> Self {
        Self { height: image.layout.height, width: image.layout.width, image, mask: None }
    }

    fn has_mask(&self, mask: &Layout) -> bool {
        (mask.width, mask.height, mask.bands) == (self.width, self.height, 1)
    }

    /// The type that cells are stored in, as GDAL names it (`uint16`).
    pub fn stored_type(&self) -> &'static str {
        self.image.layout.sample.name()
    }

    /// How blocks are compressed, and of which shape they are.
    pub fn codecs(&self) -> String {
        self.image.layout.codecs()
    }

    /// Whether a mask beside the cells tells which of them are missing.
    pub fn is_masked(&self) -> bool {
        self.mask.is_some()
    }
}

/// What the file says of each band.
fn bands(directory: &Directory, count: u64) -> Vec<Band> {
    let mut told = directory.text(tags::GDAL_METADATA).map(|xml| gdal_metadata::bands(&xml)).unwrap_or_default();
    (0..count)
        .map(|band| {
            let BandMetadata { description, scale, offset } = told.remove(&band).unwrap_or_default();
            Band { description, scale: scale.unwrap_or(1.0), offset: offset.unwrap_or(0.0) }
        })
        .collect()
}
