//! How the cells of a picture are laid out in the file.

use bytes::Bytes;

use super::bytes::ByteOrder;
use super::codec::Compression;
use super::directory::Directory;
use super::sample::{Sample, SampleKind};
use super::tags;

/// Bytes of a decoded block, and of a decoded chunk, at most.
const DECODED_BYTES_MAX: u64 = 1 << 30;

/// Cells along a side of a picture (or of a block), at most: all labels of a side are in memory.
const SIDE_MAX: u64 = 1 << 24;

/// A strip without compression is cut into pieces of about as many bytes.
const PIECE_BYTES: u64 = 1 << 20;

/// Amounts of inks.
const INKS: u64 = 5;

/// Colours of which brightness stands apart.
pub(super) const YCBCR: u64 = 6;

/// Where cells are in blocks (tiles or strips), and how a block was made.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The file's address, for messages.
    pub uri: String,
    /// Columns of cells.
    pub width: u64,
    /// Rows of cells.
    pub height: u64,
    /// Bands.
    pub bands: u64,
    /// What a band of a cell is.
    pub sample: Sample,
    /// Columns of a block.
    pub block_width: u64,
    /// Rows of a block.
    pub block_height: u64,
    /// Whether blocks are tiles: those at the edges are as large as the others.
    pub is_tiled: bool,
    /// Whether each band has blocks of its own.
    pub is_planar: bool,
    /// Rows of the blocks as the file has them; more than those of a block where strips are cut into pieces.
    pub stored_block_height: u64,
    /// How blocks are compressed.
    pub compression: Compression,
    /// What was done to cells before that.
    pub predictor: u64,
    /// Whether the bits of every byte are turned around.
    pub is_bit_reversed: bool,
    /// What the bands mean.
    pub photometric: u64,
    /// The byte order of samples.
    pub order: ByteOrder,
    /// What the blocks of a compression have in common.
    pub jpeg_tables: Option<Bytes>,
}

/// What cannot be read: what it is, and how the file has it.
pub(super) type Refused = (&'static str, String);

impl Layout {
    /// The layout that a directory describes, or why it cannot be read.
    pub fn of(uri: &str, directory: &Directory) -> Result<Self, Refused> {
        let number = |tag, default| directory.number(tag).unwrap_or(default);
        let (width, height) = (number(tags::IMAGE_WIDTH, 0), number(tags::IMAGE_LENGTH, 0));
        let bands = number(tags::SAMPLES_PER_PIXEL, 1);
        if !(1..=SIDE_MAX).contains(&width) || !(1..=SIDE_MAX).contains(&height) || !(1..=65535).contains(&bands) {
            return Err(("size", format!("of {bands} bands, {height} rows and {width} columns")));
        }
        let is_tiled = directory.table(tags::TILE_OFFSETS).is_some() || directory.number(tags::TILE_WIDTH).is_some();
        let (block_width, block_height) = match is_tiled {
            true => (number(tags::TILE_WIDTH, 0), number(tags::TILE_LENGTH, 0)),
            false => (width, number(tags::ROWS_PER_STRIP, u64::MAX).min(height)),
        };
        if !(1..=SIDE_MAX).contains(&block_width) || !(1..=SIDE_MAX).contains(&block_height) {
            return Err(("block size", format!("of {block_height} rows and {block_width} columns")));
        }
        let lerc = directory.numbers(tags::LERC_PARAMETERS);
        let compression =
            Compression::of(number(tags::COMPRESSION, 1), &lerc).map_err(|found| ("compression", found))?;
        let mut layout = Self {
            uri: uri.to_string(),
            width,
            height,
            bands,
            sample: sample(directory).map_err(|found| ("data type", found))?,
            block_width,
            block_height,
            is_tiled,
            is_planar: bands > 1 && number(tags::PLANAR_CONFIGURATION, 1) == 2,
            stored_block_height: block_height,
            compression,
            predictor: if compression.has_predictor() { number(tags::PREDICTOR, 1) } else { 1 },
            is_bit_reversed: number(tags::FILL_ORDER, 1) == 2,
            photometric: number(tags::PHOTOMETRIC, 1),
            order: directory.order(),
            jpeg_tables: directory.bytes(tags::JPEG_TABLES).cloned(),
        };
        layout.check()?;
        layout.cut_strip();
        Ok(layout)
    }

    /// Refuses what is not decoded, and what would take more memory than there is.
    fn check(&self) -> Result<(), Refused> {
        let Sample { kind, bits } = self.sample;
        match self.predictor {
            1 => {}
            2 if matches!(bits, 8 | 16 | 32 | 64) => {}
            3 if kind == SampleKind::Float => {}
            other => return Err(("predictor", format!("{other} of {} with {bits} bits", self.sample.name()))),
        }
        if self.compression.is_of_bytes() && (bits != 8 || kind != SampleKind::Unsigned) {
            return Err(("data type", format!("{} in {}", self.sample.name(), self.compression.name())));
        }
        match self.photometric {
            YCBCR if self.compression != Compression::Jpeg => {
                return Err(("photometric interpretation", format!("YCbCr in {}", self.compression.name())));
            }
            INKS if self.bands == 4 => {
                return Err(("photometric interpretation", "CMYK".to_string()));
            }
            8..=10 | 32844 | 32845 => {
                return Err(("photometric interpretation", format!("{} (CIE Lab, or logarithmic)", self.photometric)));
            }
            _ => {}
        }
        let samples = self.block_width.saturating_mul(self.block_height).saturating_mul(self.bands_in_block());
        let wide = samples.saturating_mul(self.sample.size() as u64);
        // A strip that is cut into pieces is never decoded whole.
        let is_cut = self.may_be_cut() && self.row_bytes() <= PIECE_BYTES;
        if wide > DECODED_BYTES_MAX && !is_cut {
            return Err(("block size", format!("of {wide} bytes, more than {DECODED_BYTES_MAX}")));
        }
        Ok(())
    }

    fn may_be_cut(&self) -> bool {
        let is_single = self.block_height == self.height;
        !self.is_tiled && is_single && self.compression == Compression::None
    }

    /// A single strip without compression is read in pieces, as if it were several.
    fn cut_strip(&mut self) {
        let rows = (PIECE_BYTES / self.row_bytes().max(1)).max(1);
        if self.may_be_cut() && rows < self.block_height {
            self.block_height = rows;
        }
    }

    /// Bands that a block has: all of them, or one.
    pub fn bands_in_block(&self) -> u64 {
        if self.is_planar { 1 } else { self.bands }
    }

    /// Samples of a row of a block.
    pub fn samples_per_row(&self) -> u64 {
        self.block_width * self.bands_in_block()
    }

    /// Bytes of a row of a block, without compression.
    pub fn row_bytes(&self) -> u64 {
        self.samples_per_row().saturating_mul(u64::from(self.sample.bits)).div_ceil(8)
    }

    /// Blocks in a row of them, and rows of blocks.
    pub fn blocks(&self) -> (u64, u64) {
        (self.width.div_ceil(self.block_width), self.height.div_ceil(self.block_height))
    }

    /// Rows of a block in the file: the last strip is cut off by the picture.
    pub fn rows_of_block(&self, block_row: u64) -> u64 {
        match self.is_tiled {
            true => self.block_height,
            false => self.block_height.min(self.height.saturating_sub(block_row * self.block_height)),
        }
    }

    /// Blocks that are read together along each side, rows and columns: small ones make one chunk, so that a request is
    /// worth it.
    pub fn blocks_in_chunk(&self) -> (u64, u64) {
        const CHUNK_BYTES_MIN: u64 = 256 << 10;
        let (across, down) = self.blocks();
        let block = self.samples_per_row() * self.block_height * self.sample.size() as u64;
        let wanted = CHUNK_BYTES_MIN.div_ceil(block.max(1)).clamp(1, 256);
        let columns = wanted.min(across);
        let rows = if columns == across { (wanted / columns).clamp(1, down) } else { 1 };
        (rows, columns)
    }

    /// Whether another picture is this one at a higher resolution.
    pub fn is_overview_of(&self, full: &Self) -> bool {
        self.bands == full.bands
            && self.sample.arrow() == full.sample.arrow()
            && self.width <= full.width
            && self.height <= full.height
    }

    /// Blocks and compression in words: `deflate(256x256, predictor 2)`.
    pub fn codecs(&self) -> String {
        let predictor = if self.predictor == 1 { String::new() } else { format!(", predictor {}", self.predictor) };
        let kind = if self.is_tiled { "tiles" } else { "strips" };
        let height = self.stored_block_height;
        format!("{}({kind} of {height}x{}{predictor})", self.compression.name(), self.block_width)
    }
}

/// What every band of a cell is: they must be alike.
fn sample(directory: &Directory) -> Result<Sample, String> {
    let one = |tag, default| {
        let numbers = directory.numbers(tag);
        let first = numbers.first().copied().unwrap_or(default);
        match numbers.iter().all(|&number| number == first) {
            true => Ok(first),
            false => Err(format!("bands of different types {numbers:?}")),
        }
    };
    Sample::of(one(tags::SAMPLE_FORMAT, 1)?, one(tags::BITS_PER_SAMPLE, 1)?)
}
