//! The id of a stream entry: a time in milliseconds and a sequence number within that millisecond.
//!
//! This file owns only the order and the arithmetic of ids. How clients write them is the protocol's concern.

/// The id of an entry. Ids are ordered by time, and then by sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time, in milliseconds.
    pub ms: u64,
    /// Tells apart the entries of one millisecond.
    pub seq: u64,
}

/// There is no id after the greatest one, or none before the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdOverflow;

impl StreamId {
    /// The least id. No entry has it.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// The id with this time and this sequence number.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The id right behind this one.
    ///
    /// # Errors
    /// [`IdOverflow`] if this is the greatest id.
    pub fn next(self) -> Result<StreamId, IdOverflow> {
        match (self.ms.checked_add(1), self.seq.checked_add(1)) {
            (_, Some(seq)) => Ok(StreamId { seq, ..self }),
            (Some(ms), None) => Ok(StreamId { ms, seq: 0 }),
            (None, None) => Err(IdOverflow),
        }
    }

    /// The id right before this one.
    ///
    /// # Errors
    /// [`IdOverflow`] if this is the least id.
    pub fn previous(self) -> Result<StreamId, IdOverflow> {
        match (self.ms.checked_sub(1), self.seq.checked_sub(1)) {
            (_, Some(seq)) => Ok(StreamId { seq, ..self }),
            (Some(ms), None) => Ok(StreamId { ms, seq: u64::MAX }),
            (None, None) => Err(IdOverflow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_each_other_across_milliseconds() {
        let (end, start) = (StreamId::new(7, u64::MAX), StreamId::new(8, 0));
        assert_eq!((end.next(), start.previous()), (Ok(start), Ok(end)));
        assert_eq!(StreamId::new(7, 1).next(), Ok(StreamId::new(7, 2)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (Err(IdOverflow), Err(IdOverflow)));
        assert!(end < start && StreamId::new(1, 9) < StreamId::new(2, 0));
    }
}
