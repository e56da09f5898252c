//! Files that are written here, byte by byte: what GDAL does not write, and what means harm.

use std::path::PathBuf;

use arrow::datatypes::DataType;
use quarray_engine::array::Region;
use tempfile::TempDir;

use super::reading::*;

/// A value of a tag.
enum Tag {
    Short(u16),
    Long(u32),
    /// So many numbers of four bytes, at an offset.
    Longs(u32, u32),
}

/// A file of one directory, in a folder that is gone with it.
struct Written {
    folder: TempDir,
    name: &'static str,
}

impl Written {
    /// The directory lies at byte 8, its cells behind it: at [`CELLS`].
    fn new(tags: &[(u16, Tag)], cells: &[u8]) -> Self {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend_from_slice(&directory(tags, 0));
        assert!(bytes.len() <= CELLS as usize);
        bytes.resize(CELLS as usize, 0);
        bytes.extend_from_slice(cells);
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Self {
        let written = Self { folder: tempfile::tempdir().unwrap(), name: "written.tif" };
        std::fs::write(written.path(), bytes).unwrap();
        written
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// The message without the file's address, which it begins with.
    async fn message(&self) -> String {
        let error = match open_stored(&self.path(), 0).await {
            Ok(dataset) => bytes_of(dataset.variable("band_data").unwrap()).await.unwrap_err(),
            Err(error) => error,
        };
        let (message, address) = (error.to_string(), format!("{}: ", self.path().display()));
        message.strip_prefix(&address).unwrap_or_else(|| panic!("{message} does not name {address}")).to_string()
    }
}

const CELLS: u32 = 512;

/// Names and values of options.
type Options<'a> = &'a [(&'a str, &'a str)];

fn directory(tags: &[(u16, Tag)], next: u32) -> Vec<u8> {
    let mut bytes = (tags.len() as u16).to_le_bytes().to_vec();
    for (tag, value) in tags {
        let (kind, count, value) = match value {
            Tag::Short(value) => (3u16, 1u32, u32::from(*value)),
            Tag::Long(value) => (4, 1, *value),
            Tag::Longs(count, at) => (4, *count, *at),
        };
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.extend_from_slice(&next.to_le_bytes());
    bytes
}

/// A strip of `height` rows of `width` bytes, and what is other about it.
fn strip(width: u32, height: u32, other: Vec<(u16, Tag)>) -> Vec<(u16, Tag)> {
    let tags = vec![
        (256, Tag::Long(width)),
        (257, Tag::Long(height)),
        (258, Tag::Short(8)),
        (259, Tag::Short(1)),
        (273, Tag::Long(CELLS)),
        (279, Tag::Long(width.saturating_mul(height))),
    ];
    let is_other = |tag: u16| other.iter().any(|(name, _)| *name == tag);
    let mut tags: Vec<(u16, Tag)> = tags.into_iter().filter(|(tag, _)| !is_other(*tag)).collect();
    tags.extend(other);
    tags
}

#[tokio::test]
async fn a_large_strip_without_compression_is_read_in_pieces() {
    let (width, height) = (1300u32, 4100u32);
    let cells: Vec<u8> = (0..width * height).map(|cell| (cell % 251) as u8).collect();
    let written = Written::new(&strip(width, height, Vec::new()), &cells);
    let dataset = open_stored(&written.path(), 0).await.unwrap();
    let variable = dataset.variable("band_data").unwrap();
    assert_eq!(variable.array.grid().chunk_shape(), [1, 806, 1300]);
    assert_eq!(variable.encoding.codecs, "none(strips of 4100x1300)");
    assert!(bytes_of(variable).await.unwrap() == cells);
}

#[tokio::test]
async fn the_lowest_bit_first() {
    let tags = strip(8, 2, vec![(258, Tag::Short(1)), (266, Tag::Short(2)), (279, Tag::Long(2))]);
    let written = Written::new(&tags, &[0b0000_0001, 0b1000_0110]);
    let dataset = open_stored(&written.path(), 0).await.unwrap();
    let cells = bytes_of(dataset.variable("band_data").unwrap()).await.unwrap();
    assert_eq!(cells, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn strips_whose_lengths_are_not_told() {
    let mut tags = strip(4, 2, Vec::new());
    tags.retain(|(tag, _)| *tag != 279);
    let written = Written::new(&tags, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let dataset = open_stored(&written.path(), 0).await.unwrap();
    assert_eq!(bytes_of(dataset.variable("band_data").unwrap()).await.unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Sixteen million columns and rows of which nothing is stored: only what is asked for takes memory.
#[tokio::test]
async fn a_picture_as_large_as_can_be() {
    let side = 1 << 24;
    let other = vec![
        (322, Tag::Short(512)),
        (323, Tag::Short(512)),
        (324, Tag::Longs(u32::MAX, CELLS)),
        (325, Tag::Longs(u32::MAX, CELLS)),
    ];
    let mut tags = strip(side, side, other);
    tags.retain(|(tag, _)| !matches!(tag, 273 | 279));
    let written = Written::new(&tags, &[0; 64 << 10]);
    let dataset = open_stored(&written.path(), 0).await.unwrap();
    let variable = dataset.variable("band_data").unwrap();
    assert_eq!((variable.shape(), &variable.data_type), ([1, side.into(), side.into()].as_slice(), &DataType::UInt8));
    let chunk = variable.array.fetch(&[0, 0, 3]).await.unwrap();
    assert_eq!((chunk.encoded_size(), chunk.memory_size()), (0, 0));
    assert_eq!(chunk.read(&Region::new(vec![0, 500, 0], vec![1, 2, 512])).unwrap().len(), 1024);
    // The table says that it goes on where the file has ended.
    let message = variable.array.fetch(&[0, 30_000, 0]).await.unwrap_err().to_string();
    assert!(message.contains("written.tif"), "{message}");
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let cases = [
        (strip(4, 2, vec![(279, Tag::Long(7))]), "chunk [0, 0, 0]: 7 bytes of 8 in the block"),
        (strip(4, 2, vec![(273, Tag::Long(CELLS + 1))]), "chunk [0, 0, 0]: 8 bytes at 513: the file has 520 of them"),
        (strip(4, 2, vec![(256, Tag::Long(0))]), "unsupported size of 1 bands, 2 rows and 0 columns"),
        (strip(4, 2, vec![(258, Tag::Short(33))]), "unsupported data type unsigned integers of 33 bits"),
        (strip(4, 2, vec![(259, Tag::Short(4))]), "unsupported compression CCITT fax 4"),
        (strip(4, 2, vec![(259, Tag::Short(5)), (317, Tag::Short(3))]), "unsupported predictor 3 of uint8 with 8 bits"),
        (strip(4, 2, vec![(259, Tag::Short(7)), (258, Tag::Short(16))]), "unsupported data type uint16 in jpeg"),
        (strip(4, 2, vec![(262, Tag::Short(6))]), "unsupported photometric interpretation YCbCr in none"),
        (
            strip(1 << 20, 1 << 20, vec![(259, Tag::Short(8)), (278, Tag::Long(1 << 20))]),
            "unsupported block size of 1099511627776 bytes, more than 1073741824",
        ),
        (
            strip(4, 2, vec![(322, Tag::Short(0)), (323, Tag::Short(16))]),
            "unsupported block size of 16 rows and 0 columns",
        ),
        (
            strip(4, 2, vec![(33550, Tag::Longs(1 << 30, 8))]),
            "tag 33550 has 4294967296 bytes, expected at most 4194304",
        ),
        (strip(4, 2, vec![(33550, Tag::Longs(999, 8))]), "3996 bytes at 8: the file has 520 of them"),
        (strip(4, 2, vec![(259, Tag::Short(8))]), "chunk [0, 0, 0]: deflate: corrupt deflate stream"),
        (strip(4, 2, vec![(259, Tag::Short(32773))]), "chunk [0, 0, 0]: 1 bytes of 8 in the block"),
    ];
    for (tags, expected) in cases {
        let message = Written::new(&tags, &[0, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]).message().await;
        assert!(message.starts_with(expected), "{message}, expected {expected}");
    }
}

#[tokio::test]
async fn headers_that_are_none() {
    let mut circle = b"II*\0\x08\0\0\0".to_vec();
    circle.extend_from_slice(&directory(&strip(4, 2, Vec::new()), 8));
    let cases: [(&[u8], &str); 7] = [
        (b"", "no TIFF file: it begins neither with II nor with MM"),
        (b"PK\x03\x04....", "no TIFF file: it begins neither with II nor with MM"),
        (b"II", "no TIFF file: expected version 42 or 43, found nothing"),
        (b"II\x2c\0\x08\0\0\0", "no TIFF file: expected version 42 or 43, found 44"),
        (b"MM\0*\0\0\0\0", "no image file directory"),
        (b"MM\0*\xff\0\0\0", "2 bytes at 4278190080: the file has 8 of them"),
        (&circle, "the directory at 8 comes again: the directories form a circle"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Written::of(bytes).message().await, expected);
    }
}

#[tokio::test]
async fn formats_and_options() {
    let written = Written::new(&strip(4, 2, Vec::new()), &[0; 8]);
    for name in ["picture", "picture.TIFF", "picture.gtiff", "picture.cog", "picture.dat"] {
        let path = written.folder.path().join(name);
        std::fs::copy(written.path(), &path).unwrap();
        let is_told = [("format", if name == "picture" { "tiff" } else { "COG" })];
        let options = if name.ends_with("dat") || name == "picture" { &is_told[..] } else { &[] };
        assert!(open_file(&path, options).await.is_ok(), "{name}");
    }
    let cases: [(&str, Options, &str); 4] = [
        ("written.tif", &[("overview", "first")], "option `overview`: expected a whole number, found `first`"),
        ("written.tif", &[("overview", "1")], "overview 1: expected at most 0, the overviews that there are"),
        ("written.zarr", &[("overview", "1")], "option `overview`: expected a TIFF file, found zarr"),
        ("none.tif", &[], "there is no such file"),
    ];
    for (name, options, expected) in cases {
        let message = open_file(&written.folder.path().join(name), options).await.unwrap_err().to_string();
        assert!(message.ends_with(expected) && message.contains(name), "{message}");
    }
}
