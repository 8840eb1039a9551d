//! Memory for records, in pieces of equal size. When a segment grows, shrinks or splits, every piece that it frees fits
//! any other segment.

/// Bytes of a block for records. With the number of its owner it has two kilobytes. A smaller block would waste more at
/// its end. Of a larger block a segment would leave more unused.
pub const BLOCK_BYTES: usize = 2048 - size_of::<u32>();

/// A piece of memory of one segment.
#[derive(Debug)]
pub struct Block {
    /// The number of the segment.
    pub owner: u32,
    /// Records, one behind the other.
    pub bytes: [u8; BLOCK_BYTES],
}
