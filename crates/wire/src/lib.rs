//! Bounded byte readers and writers, bit packing, framing and digests.
