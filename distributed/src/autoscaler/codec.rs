//! Messages of prost on a connection of gRPC.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Writes `Out` and reads `In`.
#[derive(Debug)]
pub(super) struct MessageCodec<Out, In>(PhantomData<(Out, In)>);

impl<Out, In> Default for MessageCodec<Out, In> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// One direction of a [`MessageCodec`].
#[derive(Debug)]
pub(super) struct OneWay<T>(PhantomData<T>);

impl<Out, In> Codec for MessageCodec<Out, In>
where
    Out: Message + Send + 'static,
    In: Message + Default + Send + 'static,
{
    type Encode = Out;
    type Decode = In;
    type Encoder = OneWay<Out>;
    type Decoder = OneWay<In>;

    fn encoder(&mut self) -> Self::Encoder {
        OneWay(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        OneWay(PhantomData)
    }
}

impl<T: Message> Encoder for OneWay<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<T: Message + Default> Decoder for OneWay<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        T::decode(buffer).map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}
