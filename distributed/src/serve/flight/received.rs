//! Messages of clients, looked at before anything is read from them: what they say of their lengths may not be so, and
//! room would be made for it.

use std::collections::HashMap;
use std::io::{Read, copy, sink};

use arrow::ipc::{self, CompressionType, MessageHeader, root_as_message};
use arrow_flight::FlightData;
use lz4_flex::frame::FrameDecoder;
use tonic::Status;

/// Bytes of what is in a message, once it is unpacked, and of all dictionaries that it may speak of.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Cells of a column in a message: one that holds anything has a bit a cell.
const CELLS_MAX: i64 = UNPACKED_BYTES_MAX as i64 * 8;

/// The length before the bytes of a buffer that may be packed.
const PREFIX_BYTES: usize = size_of::<i64>();

/// The length that stands before bytes that are not packed, though the others of the message are.
const NOT_PACKED: i64 = -1;

/// What has been received of one stream.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// The bytes of the dictionaries that later batches may speak of.
    dictionaries: HashMap<i64, usize>,
}

impl Received {
    /// Refuses a message that is not what it says, or would be too large.
    pub(super) fn check(&mut self, data: &FlightData) -> Result<(), Status> {
        let message = root_as_message(&data.data_header);
        let message = message.map_err(|error| unreadable(&format!("its header is broken: {error}")))?;
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(|| unreadable("it has no batch"))?;
                check_batch(&batch, &data.data_body).map(|_| ())
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                let dictionary = dictionary.ok_or_else(|| unreadable("it has no dictionary"))?;
                let values = dictionary.data().ok_or_else(|| unreadable("its dictionary has no values"))?;
                let bytes = check_batch(&values, &data.data_body)?;
                let held = self.dictionaries.entry(dictionary.id()).or_default();
                // Values that are added go behind those that are there; others take their place.
                *held = if dictionary.isDelta() { held.saturating_add(bytes) } else { bytes };
                let all = self.dictionaries.values().fold(0usize, |all, bytes| all.saturating_add(*bytes));
                if all > UNPACKED_BYTES_MAX { Err(too_large(all)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

/// Checks the lengths of a batch against the bytes that came with it; how many bytes it has once it is unpacked.
fn check_batch(batch: &ipc::RecordBatch<'_>, body: &[u8]) -> Result<usize, Status> {
    check_cells("rows", batch.length(), CELLS_MAX)?;
    for node in batch.nodes().into_iter().flatten() {
        check_cells("cells of a column", node.length(), CELLS_MAX)?;
        check_cells("missing cells of a column", node.null_count(), node.length())?;
    }
    for count in batch.variadicBufferCounts().into_iter().flatten() {
        check_cells("buffers of a column", count, CELLS_MAX)?;
    }
    let codec = batch.compression().map(|compression| compression.codec());
    let mut all = 0usize;
    for buffer in batch.buffers().into_iter().flatten() {
        let bytes = part(body, buffer)?;
        let packed = codec.filter(|_| !bytes.is_empty()).map(|codec| Packed::new(codec, bytes)).transpose()?;
        let unpacked = packed.as_ref().map_or(bytes.len(), |packed| packed.length);
        // Buffers may lie on each other: each is unpacked, or copied to where it can be read, by itself.
        all = all.saturating_add(unpacked);
        if all > UNPACKED_BYTES_MAX {
            return Err(too_large(all));
        }
        if let Some(packed) = packed {
            packed.check()?;
        }
    }
    Ok(all)
}

fn check_cells(what: &str, found: i64, most: i64) -> Result<(), Status> {
    match (0..=most).contains(&found) {
        true => Ok(()),
        false => Err(unreadable(&format!("expected 0 to {most} {what}, found {found}"))),
    }
}

/// The bytes of a buffer.
fn part<'a>(body: &'a [u8], buffer: &ipc::Buffer) -> Result<&'a [u8], Status> {
    let (offset, length) = (buffer.offset(), buffer.length());
    let start = usize::try_from(offset).ok();
    let end = start.zip(usize::try_from(length).ok()).and_then(|(start, length)| start.checked_add(length));
    start.zip(end).and_then(|(start, end)| body.get(start..end)).ok_or_else(|| {
        let found = format!("found one of {length} bytes at {offset}");
        unreadable(&format!("expected buffers in the {} bytes of its body, {found}", body.len()))
    })
}

/// A buffer of a message that may be packed.
struct Packed<'a> {
    codec: CompressionType,
    bytes: &'a [u8],
    /// The bytes that it says it has once it is unpacked.
    length: usize,
    is_packed: bool,
}

impl<'a> Packed<'a> {
    fn new(codec: CompressionType, bytes: &'a [u8]) -> Result<Self, Status> {
        let Some((prefix, bytes)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
            let found = bytes.len();
            return Err(unreadable(&format!(
                "expected a length of {PREFIX_BYTES} bytes before a buffer, found {found}"
            )));
        };
        let said = i64::from_le_bytes(*prefix);
        let is_packed = said != NOT_PACKED;
        let length = if is_packed { usize::try_from(said).ok() } else { Some(bytes.len()) };
        let length = length.ok_or_else(|| unreadable(&format!("expected the length of a buffer, found {said}")))?;
        Ok(Self { codec, bytes, length, is_packed })
    }

    /// A frame of LZ4 is unpacked to its end, whatever the length before it says; one of Zstandard no further than that.
    fn check(&self) -> Result<(), Status> {
        if self.codec != CompressionType::LZ4_FRAME || !self.is_packed || self.length == 0 {
            return Ok(());
        }
        let said = self.length as u64;
        let mut unpacked = FrameDecoder::new(self.bytes).take(said.saturating_add(1));
        match copy(&mut unpacked, &mut sink()) {
            Ok(found) if found == said => Ok(()),
            Ok(found) if found > said => Err(unreadable(&format!("expected a buffer of {said} bytes, found more"))),
            Ok(found) => Err(unreadable(&format!("expected a buffer of {said} bytes, found {found}"))),
            Err(error) => Err(unreadable(&format!("a buffer does not unpack: {error}"))),
        }
    }
}

fn unreadable(why: &str) -> Status {
    Status::invalid_argument(format!("cannot read a message of rows: {why}"))
}

fn too_large(found: usize) -> Status {
    let message = format!("expected messages of at most {UNPACKED_BYTES_MAX} bytes once they are unpacked");
    Status::resource_exhausted(format!("{message}, found {found}: send fewer rows in each"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int64Array, StringArray};
    use arrow::datatypes::Int8Type;
    use arrow::ipc::writer::IpcWriteOptions;
    use arrow::record_batch::RecordBatch;
    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use futures::{TryStreamExt, stream};
    use tonic::Code;

    use super::*;

    type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;

    /// A dictionary, numbers and words as messages: schema, dictionary, batch.
    pub(in crate::serve::flight) async fn messages(codec: Option<CompressionType>) -> Ended<Vec<FlightData>> {
        let dictionary: DictionaryArray<Int8Type> = (0..2000).map(|row| ["x", "y"][row % 2]).collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..2000).map(|row| (row % 3 > 0).then_some(row))));
        let words: ArrayRef = Arc::new(StringArray::from_iter_values((0..2000).map(|row| format!("word {row}"))));
        let columns: [(&str, ArrayRef); 3] = [("d", Arc::new(dictionary)), ("n", numbers), ("w", words)];
        let batch = RecordBatch::try_from_iter(columns)?;
        let encoder = FlightDataEncoderBuilder::new()
            .with_options(IpcWriteOptions::default().try_with_compression(codec)?)
            .with_dictionary_handling(DictionaryHandling::Resend);
        Ok(encoder.build(stream::iter([Ok(batch)])).try_collect().await?)
    }

    fn checked(messages: &[FlightData]) -> Result<(), Status> {
        let mut received = Received::default();
        messages.iter().try_for_each(|message| received.check(message))
    }

    /// Where the buffers of the last message begin that have bytes.
    pub(in crate::serve::flight) fn buffers(messages: &[FlightData]) -> Ended<Vec<usize>> {
        let header = &messages.last().ok_or("no messages")?.data_header;
        let message = root_as_message(header).map_err(|error| error.to_string())?;
        let buffers = message.header_as_record_batch().and_then(|batch| batch.buffers()).ok_or("no buffers")?;
        Ok(buffers.iter().filter(|buffer| buffer.length() > 0).map(|buffer| buffer.offset() as usize).collect())
    }

    /// The same messages, the last with another length before one of its buffers.
    pub(in crate::serve::flight) fn forged(
        messages: &[FlightData],
        offset: usize,
        length: i64,
    ) -> Ended<Vec<FlightData>> {
        let mut messages = messages.to_vec();
        let last = messages.last_mut().ok_or("no messages")?;
        let mut body = last.data_body.to_vec();
        body.get_mut(offset..offset + PREFIX_BYTES).ok_or("no prefix")?.copy_from_slice(&length.to_le_bytes());
        last.data_body = body.into();
        Ok(messages)
    }

    fn refused(messages: &[FlightData], code: Code, words: &str) -> Ended {
        let status = checked(messages).err().ok_or_else(|| format!("expected {words:?}, found no error"))?;
        assert!(status.code() == code && status.message().contains(words), "{words}: {status}");
        Ok(())
    }

    #[tokio::test]
    async fn honest_messages_pass() -> Ended {
        for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            checked(&messages(codec).await?)?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn lengths_that_are_claimed_make_no_room() -> Ended {
        for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
            let honest = messages(Some(codec)).await?;
            for offset in buffers(&honest)? {
                for length in [1 << 46, i64::MAX, UNPACKED_BYTES_MAX as i64 + 1] {
                    refused(&forged(&honest, offset, length)?, Code::ResourceExhausted, "once they are unpacked")?;
                }
                refused(&forged(&honest, offset, -2)?, Code::InvalidArgument, "found -2")?;
            }
        }
        // A frame is unpacked to its end: what it has may be no more than was said.
        let honest = messages(Some(CompressionType::LZ4_FRAME)).await?;
        let last = buffers(&honest)?.pop().ok_or("no buffers")?;
        refused(&forged(&honest, last, 10)?, Code::InvalidArgument, "of 10 bytes, found more")?;
        refused(&forged(&honest, last, 1 << 20)?, Code::InvalidArgument, "of 1048576 bytes, found 1")
    }

    #[tokio::test]
    async fn buffers_are_in_the_body() -> Ended {
        let mut cut = messages(None).await?;
        let last = cut.last_mut().ok_or("no messages")?;
        last.data_body = last.data_body.slice(..last.data_body.len() / 2);
        refused(&cut, Code::InvalidArgument, "expected buffers in the")?;
        let last = cut.last_mut().ok_or("no messages")?;
        last.data_header = last.data_header.slice(..8);
        refused(&cut, Code::InvalidArgument, "its header is broken")
    }
}
