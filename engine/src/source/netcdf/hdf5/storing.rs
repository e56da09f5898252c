//! How a dataset of HDF5 is stored.

use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::filter_pipeline::FilterDescription;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::{Dataset, Hdf5File};

use super::Addressing;
use super::chunked::{Chunked, Index};
use super::unpacking::{Unpacking, unsupported};
use crate::source::netcdf::cells::CellType;
use crate::source::netcdf::place::{Place, contiguous_chunks};

/// How a dataset is stored.
#[derive(Debug)]
pub(super) struct Storing {
    layout: DataLayout,
    /// The steps that pack a chunk.
    pub filters: Vec<FilterDescription>,
    is_external: bool,
}

impl Storing {
    /// What the description of a dataset says.
    pub fn of(file: &Hdf5File, dataset: &Dataset) -> Result<Self, Error> {
        let header = file.get_or_parse_header(dataset.address())?;
        let (mut layout, mut filters, mut is_external) = (None, Vec::new(), false);
        for message in &header.messages {
            match message {
                HdfMessage::DataLayout(message) => layout = Some(message.layout.clone()),
                HdfMessage::FilterPipeline(message) => filters.clone_from(&message.filters),
                HdfMessage::ExternalFiles(_) => is_external = true,
                _ => {}
            }
        }
        let layout = layout.ok_or_else(|| Error::InvalidData(format!("{}: no layout", dataset.name())))?;
        Ok(Self { layout, filters, is_external })
    }

    /// Whether the cells are in chunks, some of which may not be stored.
    pub fn is_chunked(&self) -> bool {
        matches!(self.layout, DataLayout::Chunked { .. })
    }

    /// What a cell is (a text, where the last dimension of `texts_length` characters makes one), where the cells of
    /// `shape` are, and how they are cut into chunks.
    pub fn place(
        self,
        dataset: &Dataset,
        mut cell: CellType,
        texts_length: Option<u64>,
        shape: &[u64],
        addressing: Addressing,
    ) -> Result<(CellType, Place, Vec<u64>), String> {
        let stored_cell = cell.size();
        let mut join = |length: u64| {
            if let CellType::Characters { size, .. } = &mut cell {
                *size = usize::try_from(length).map_err(|_| format!("texts of {length} bytes"))?;
            }
            Ok::<_, String>(())
        };
        let refused = unsupported(&self.filters).map(|filter| Place::Refused("filter", filter));
        let (place, chunk_shape) = match self.layout {
            DataLayout::Chunked { address, mut dims, chunk_indexing, .. } => {
                dims.truncate(dataset.ndim());
                if let (Some(length), Some(&chunk)) = (texts_length, dims.last()) {
                    if u64::from(chunk) < length {
                        return Ok((
                            cell,
                            Place::Refused("layout", "texts cut into chunks".to_string()),
                            vec![1; shape.len()],
                        ));
                    }
                    join(u64::from(chunk))?;
                }
                let unpacking = Unpacking::new(self.filters, &dims, stored_cell)?;
                let index = Index::new(address, chunk_indexing, dataset.max_dims(), addressing);
                let (chunked, chunk_shape) = Chunked::new(dims, dataset.shape(), shape, index, Arc::new(unpacking))?;
                (Place::Chunked(Box::new(chunked)), chunk_shape)
            }
            layout => {
                texts_length.map_or(Ok(()), join)?;
                let chunk_shape = contiguous_chunks(shape, cell.size());
                match layout {
                    _ if self.is_external => (Place::Refused("layout", "external files".to_string()), chunk_shape),
                    DataLayout::Compact { data } => (Place::Inline(data.into()), chunk_shape),
                    DataLayout::Contiguous { address, .. } => {
                        (addressing.place(address).map_or(Place::Absent, Place::Contiguous), chunk_shape)
                    }
                    DataLayout::Chunked { .. } => (Place::Absent, chunk_shape),
                }
            }
        };
        Ok((cell, refused.unwrap_or(place), chunk_shape))
    }
}

impl Addressing {
    /// The place in the file that an address tells, or `None` where nothing is stored.
    pub fn place(self, address: u64) -> Option<u64> {
        let undefined = match self.offset_size {
            0..8 => (1u64 << (8 * u32::from(self.offset_size))) - 1,
            _ => u64::MAX,
        };
        if address == undefined { None } else { address.checked_add(self.base) }
    }
}
