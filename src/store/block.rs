//! Memory for records, in pieces of equal size, so that a segment that grows, shrinks or splits
//! leaves no hole behind that nothing else fits in.

/// Bytes of a block for records. With its owner it has two kilobytes: a smaller one would lose more
/// at its end, of a larger one a segment would have more that is not yet used.
pub const BLOCK_BYTES: usize = 2048 - size_of::<u32>();

/// A piece of memory of one segment.
#[derive(Debug)]
pub struct Block {
    /// The number of the segment.
    pub owner: u32,
    /// Records, one behind the other.
    pub bytes: [u8; BLOCK_BYTES],
}
