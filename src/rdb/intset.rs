//! Intsets: sets of integers, in ascending order.
//!
//! ```text
//! bytes of a member (4): 2, 4 or 8  number of members (4)  members, little endian
//! ```

use super::DecodeError;
use super::cursor::Cursor;
use super::element::{Element, Elements};
use crate::base::{OutOfMemory, memory};

/// Most members of an intset that is written: Redis's default of `set-max-intset-entries`.
pub(super) const MEMBERS_MAX: usize = 512;

/// The members of an intset that are still to be read.
#[derive(Debug)]
pub(super) struct Intset<'a> {
    rest: Cursor<'a>,
    /// Bytes of a member.
    width: usize,
    before: Option<i64>,
}

impl<'a> Intset<'a> {
    /// Reads the header of an intset that consists of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Result<Intset<'a>, DecodeError> {
        let mut rest = Cursor(bytes);
        let width = rest.length32()?;
        let members = rest.length32()?;
        if ![2, 4, 8].contains(&width) || members.checked_mul(width) != Some(rest.left()) {
            return Err(DecodeError::BadFormat);
        }
        Ok(Intset { rest, width, before: None })
    }
}

impl<'a> Elements<'a> for Intset<'a> {
    fn next(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
        if self.rest.left() == 0 {
            return Ok(None);
        }
        let member = match self.width {
            2 => i64::from(i16::from_le_bytes(self.rest.array()?)),
            4 => i64::from(i32::from_le_bytes(self.rest.array()?)),
            _ => i64::from_le_bytes(self.rest.array()?),
        };
        if self.before.is_some_and(|before| before >= member) {
            return Err(DecodeError::BadFormat);
        }
        self.before = Some(member);
        Ok(Some(Element::Integer(member)))
    }
}

/// The intset of `members`, which it sorts.
pub(super) fn intset(members: &mut [i64]) -> Result<Vec<u8>, OutOfMemory> {
    members.sort_unstable();
    let fits = |least: i64, most: i64| members.iter().all(|member| (least..=most).contains(member));
    let width: u8 = if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
        2
    } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
        4
    } else {
        8
    };
    let mut bytes = Vec::new();
    memory::reserve_exact(&mut bytes, 8 + usize::from(width) * members.len())?;
    bytes.extend_from_slice(&[width, 0, 0, 0]);
    bytes.extend_from_slice(&(members.len() as u32).to_le_bytes());
    for member in members {
        bytes.extend_from_slice(&member.to_le_bytes()[..usize::from(width)]);
    }
    Ok(bytes)
}
