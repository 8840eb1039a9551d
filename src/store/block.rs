//! Memory for records, in pieces of equal size. A segment that grows, shrinks or splits frees whole blocks,
//! so every hole that it leaves fits the next block.

/// Bytes for records in a block. Together with its owner's number a block has 2,048 bytes. In smaller
/// blocks, a larger share would be lost at the end, where no record fits. In larger ones, a segment would
/// hold more bytes that it does not use yet.
pub const BLOCK_BYTES: usize = 2048 - size_of::<u32>();

/// A piece of memory that belongs to one segment.
#[derive(Debug)]
pub struct Block {
    /// The number of the segment that the block belongs to.
    pub owner: u32,
    /// Records, one after the other. The last bytes may be unused.
    pub bytes: [u8; BLOCK_BYTES],
}
