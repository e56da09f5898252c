//! The directories of a file: tags and their values, in both sizes of TIFF and both byte orders.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::bytes::ByteOrder;
use super::reader::Reader;
use super::tags;
use crate::source::SourceError;

/// Directories that are looked at, at most: a picture has some overviews, and the pages of a book are not read.
const DIRECTORIES_MAX: usize = 64;

/// Entries of one directory, at most.
const ENTRIES_MAX: u64 = 4096;

/// Bytes of the value of one tag, at most, the tables of blocks apart.
const VALUE_BYTES_MAX: u64 = 4 << 20;

/// One directory.
#[derive(Debug)]
pub(super) struct Directory {
    order: ByteOrder,
    values: BTreeMap<u16, (Kind, Bytes)>,
    tables: BTreeMap<u16, Table>,
}

/// A table of blocks: where it lies, not what is in it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// The first byte of it in the file; one that fits in its entry lies there.
    pub offset: u64,
    /// How many numbers there are.
    pub count: u64,
    /// Bytes of each.
    pub width: u64,
    /// Their byte order.
    pub order: ByteOrder,
}

/// What a value consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Unsigned(u64),
    Signed(u64),
    Float(u64),
    Fraction,
}

impl Kind {
    fn of(code: u64) -> Option<Self> {
        Some(match code {
            2 => Self::Text,
            1 | 7 => Self::Unsigned(1),
            3 => Self::Unsigned(2),
            4 | 13 => Self::Unsigned(4),
            16 | 18 => Self::Unsigned(8),
            6 => Self::Signed(1),
            8 => Self::Signed(2),
            9 => Self::Signed(4),
            17 => Self::Signed(8),
            11 => Self::Float(4),
            12 => Self::Float(8),
            5 | 10 => Self::Fraction,
            _ => return None,
        })
    }

    fn width(self) -> u64 {
        match self {
            Self::Text => 1,
            Self::Unsigned(width) | Self::Signed(width) | Self::Float(width) => width,
            Self::Fraction => 8,
        }
    }
}

/// How the numbers of a file are written.
#[derive(Debug, Clone, Copy)]
struct Form {
    order: ByteOrder,
    is_big: bool,
}

impl Form {
    /// Bytes of an offset.
    fn offset_width(self) -> u64 {
        if self.is_big { 8 } else { 4 }
    }

    /// Bytes of the number of entries, and of an entry.
    fn entry_widths(self) -> (u64, u64) {
        if self.is_big { (8, 20) } else { (2, 12) }
    }
}

/// The directories of a file, in their order.
pub(super) async fn read_all(reader: &mut Reader) -> Result<Vec<Directory>, SourceError> {
    let (form, mut offset) = header(reader).await?;
    let (mut directories, mut seen) = (Vec::new(), BTreeSet::new());
    while offset != 0 && directories.len() < DIRECTORIES_MAX {
        if !seen.insert(offset) {
            return Err(reader.wrong(&format!("the directory at {offset} comes again: the directories form a circle")));
        }
        let (directory, next) = read_one(reader, form, offset).await?;
        directories.push(directory);
        offset = next;
    }
    Ok(directories)
}

async fn header(reader: &mut Reader) -> Result<(Form, u64), SourceError> {
    let head = reader.bytes(0, 8.min(reader.size)).await?;
    let order = match head.get(..2) {
        Some(b"II") => ByteOrder::Little,
        Some(b"MM") => ByteOrder::Big,
        _ => return Err(reader.wrong("no TIFF file: it begins neither with II nor with MM")),
    };
    match head.get(2..4).map(|bytes| order.number(bytes)) {
        Some(42) if head.len() == 8 => Ok((Form { order, is_big: false }, order.number(&head[4..8]))),
        Some(43) if head.len() == 8 && order.number(&head[4..6]) == 8 => {
            let offset = reader.bytes(8, 8).await?;
            Ok((Form { order, is_big: true }, order.number(&offset)))
        }
        found => {
            let found = found.map_or("nothing".to_string(), |version| version.to_string());
            Err(reader.wrong(&format!("no TIFF file: expected version 42 or 43, found {found}")))
        }
    }
}

async fn read_one(reader: &mut Reader, form: Form, offset: u64) -> Result<(Directory, u64), SourceError> {
    let (count_width, entry_width) = form.entry_widths();
    let count = form.order.number(&reader.bytes(offset, count_width).await?);
    if count > ENTRIES_MAX {
        return Err(
            reader.wrong(&format!("the directory at {offset} has {count} entries, expected at most {ENTRIES_MAX}"))
        );
    }
    let entries_at = offset.saturating_add(count_width);
    let entries = reader.bytes(entries_at, count * entry_width).await?;
    // Some writers forget the offset of the next directory at the end of a file.
    let next_at = entries_at.saturating_add(count * entry_width);
    let next = match next_at.saturating_add(form.offset_width()) <= reader.size {
        true => form.order.number(&reader.bytes(next_at, form.offset_width()).await?),
        false => 0,
    };
    let mut directory = Directory { order: form.order, values: BTreeMap::new(), tables: BTreeMap::new() };
    for (place, entry) in entries.chunks_exact(entry_width as usize).enumerate() {
        let entry_at = entries_at + place as u64 * entry_width;
        directory.add(reader, form, entry, entry_at).await?;
    }
    Ok((directory, next))
}

impl Directory {
    async fn add(&mut self, reader: &mut Reader, form: Form, entry: &[u8], entry_at: u64) -> Result<(), SourceError> {
        let order = form.order;
        let tag = order.number(&entry[..2]) as u16;
        let is_table = tags::TABLES.contains(&tag);
        if (!is_table && !tags::READ.contains(&tag)) || self.values.contains_key(&tag) {
            return Ok(());
        }
        let width = form.offset_width();
        let value_at = 4 + width as usize;
        let count = order.number(&entry[4..value_at]);
        let Some(kind) = Kind::of(order.number(&entry[2..4])) else { return Ok(()) };
        let Some(length) = count.checked_mul(kind.width()) else {
            return Err(reader.wrong(&format!("tag {tag} has {count} values")));
        };
        let offset = match length <= width {
            true => entry_at + value_at as u64,
            false => order.number(&entry[value_at..]),
        };
        if is_table {
            let Kind::Unsigned(width) = kind else {
                return Err(reader.wrong(&format!("tag {tag}: expected whole numbers")));
            };
            self.tables.insert(tag, Table { offset, count, width, order });
            return Ok(());
        }
        if length > VALUE_BYTES_MAX {
            return Err(reader.wrong(&format!("tag {tag} has {length} bytes, expected at most {VALUE_BYTES_MAX}")));
        }
        let value = reader.bytes(offset, length).await?;
        self.values.insert(tag, (kind, value));
        Ok(())
    }

    /// The table of blocks under a tag.
    pub fn table(&self, tag: u16) -> Option<&Table> {
        self.tables.get(&tag)
    }

    /// The byte order of the file.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// The bytes of a value.
    pub fn bytes(&self, tag: u16) -> Option<&Bytes> {
        self.values.get(&tag).map(|(_, bytes)| bytes)
    }

    /// The whole numbers of a tag, none of them negative; empty where there is no such tag.
    pub fn numbers(&self, tag: u16) -> Vec<u64> {
        match self.values.get(&tag) {
            Some((Kind::Unsigned(width), bytes)) => {
                bytes.chunks_exact(*width as usize).map(|bytes| self.order.number(bytes)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The only, or the first, whole number of a tag.
    pub fn number(&self, tag: u16) -> Option<u64> {
        match self.values.get(&tag)? {
            (Kind::Unsigned(width), bytes) => bytes.get(..*width as usize).map(|bytes| self.order.number(bytes)),
            _ => None,
        }
    }

    /// The floats of a tag.
    pub fn floats(&self, tag: u16) -> Vec<f64> {
        match self.values.get(&tag) {
            Some((Kind::Float(8), bytes)) => {
                bytes.chunks_exact(8).map(|bytes| f64::from_bits(self.order.number(bytes))).collect()
            }
            Some((Kind::Float(4), bytes)) => {
                let float = |bytes: &[u8]| f64::from(f32::from_bits(self.order.number(bytes) as u32));
                bytes.chunks_exact(4).map(float).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The text of a tag, up to its end.
    pub fn text(&self, tag: u16) -> Option<String> {
        let bytes = self.bytes(tag)?;
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Some(String::from_utf8_lossy(&bytes[..end]).trim().to_string())
    }

    /// Whether it has another's cells at a lower resolution.
    pub fn is_overview(&self) -> bool {
        self.subfile_type() & 0b101 == 0b001
    }

    /// Whether it tells which cells of another are missing.
    pub fn is_mask(&self) -> bool {
        self.subfile_type() & 0b100 != 0
    }

    fn subfile_type(&self) -> u64 {
        self.number(tags::NEW_SUBFILE_TYPE).unwrap_or(0)
    }
}
