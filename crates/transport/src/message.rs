//! The messages on the wire, protocol buffers written by hand; `proto/blindscope.proto` is the same for other languages.
//!
//! Whatever is signed or hashed travels as opaque bytes in its canonical form, never as a protocol buffer: that
//! encoding is not unique.

use bytes::Bytes;
use prost::Message;

/// Version of these messages. A coordinator refuses a client of another.
pub(crate) const VERSION: u32 = 1;

/// The most bytes of contents in one [`Piece`].
pub(crate) const PIECE: usize = 128 << 10;

/// Who calls, and for which study.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Hello {
    /// [`VERSION`].
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// The program's own version, for people.
    #[prost(string, tag = "2")]
    pub(crate) software: String,
    /// Digest of the study the caller believes in, or nothing.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) study: Bytes,
    /// Whether the caller has that study, and does without it in the answer.
    #[prost(bool, tag = "4")]
    pub(crate) has_study: bool,
}

/// The coordinator's answer to [`Hello`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Welcome {
    /// [`VERSION`].
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// The program's own version, for people.
    #[prost(string, tag = "2")]
    pub(crate) software: String,
    /// The coordinator's clock, milliseconds since 1970.
    #[prost(uint64, tag = "3")]
    pub(crate) now_ms: u64,
    /// The study in its canonical form; nothing for a caller that has it.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) study: Bytes,
}

/// Asks for something to do.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Poll {
    /// How long the coordinator may hold the answer back.
    #[prost(uint64, tag = "1")]
    pub(crate) wait_ms: u64,
    /// What the caller wants to say with it (its position), opaque here.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) state: Bytes,
}

/// Something to do, or nothing yet.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Polled {
    /// The task, opaque here; absent when there is none.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) task: Option<Bytes>,
    /// Small blobs that it needs.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) blobs: Vec<Bytes>,
}

/// Names a blob.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Wanted {
    /// SHA-256 of its bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) digest: Bytes,
    /// How many they are.
    #[prost(uint64, tag = "2")]
    pub(crate) len: u64,
}

/// A part of a blob under way; the first of each stream is the head and holds no contents.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Piece {
    /// In the first piece only.
    #[prost(message, optional, tag = "1")]
    pub(crate) head: Option<Head>,
    /// In all others: at least one byte, at most [`PIECE`].
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) contents: Bytes,
}

/// What comes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Head {
    /// The signed header of an upload, opaque here; empty in a download.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) header: Bytes,
    /// Exact bytes that follow.
    #[prost(uint64, tag = "2")]
    pub(crate) len: u64,
    /// SHA-256 of them.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) digest: Bytes,
}

/// The upload is on disk.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Receipt {
    /// What the handler says of it, opaque here.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) note: Bytes,
}

/// A document of an administrator's call, JSON.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Document {
    /// The text.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) json: Bytes,
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthQuery {
    /// Which service; empty for all.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthReply {
    /// 1: serving; 2: not serving.
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
}

/// Why a call was refused; the `details` of a gRPC status.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Detail {
    /// Stable word.
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    /// Milliseconds after which another try makes sense; 0: none does.
    #[prost(uint64, tag = "2")]
    pub(crate) retry_ms: u64,
    /// Numbers of the refusal.
    #[prost(message, repeated, tag = "3")]
    pub(crate) facts: Vec<Fact>,
}

/// One number of a refusal.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Fact {
    /// What it is.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// How much.
    #[prost(uint64, tag = "2")]
    pub(crate) value: u64,
}
