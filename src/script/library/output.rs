//! The text that a library writes: bounded, and interruptible.
//!
//! This file must never know the format that is written.

use super::{OUTPUT_BYTES_MAX, Pace, check, complain};
use mlua::{Lua, Result, Value};

/// Bytes between two calls of [`check`].
pub(super) const BYTES_PER_CHECK: usize = 64 << 10;

/// Text that grows.
#[derive(Debug)]
pub(super) struct Output<'lua> {
    lua: &'lua Lua,
    bytes: Vec<u8>,
    /// The length at which [`check`] is due.
    check_at: usize,
    pace: Pace,
}

impl<'lua> Output<'lua> {
    pub fn new(lua: &'lua Lua) -> Output<'lua> {
        Output { lua, bytes: Vec::new(), check_at: BYTES_PER_CHECK, pace: Pace::default() }
    }

    pub fn lua(&self) -> &'lua Lua {
        self.lua
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Tells that there is one more element.
    pub fn step(&mut self) -> Result<()> {
        self.pace.step(self.lua)
    }

    pub fn push(&mut self, byte: u8) -> Result<()> {
        self.reserve(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserve(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub fn append_zeros(&mut self, count: usize) -> Result<()> {
        self.reserve(count)?;
        self.bytes.resize(self.bytes.len() + count, 0);
        Ok(())
    }

    /// Lets `write` append a few bytes, at most 512.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.reserve(512)?;
        write(&mut self.bytes);
        Ok(())
    }

    /// The text as a string of Lua.
    pub fn finish(self) -> Result<Value> {
        Ok(Value::String(self.lua.create_string(&self.bytes)?))
    }

    #[inline]
    fn reserve(&mut self, additional: usize) -> Result<()> {
        if additional <= self.bytes.capacity() - self.bytes.len() && self.bytes.len() < self.check_at {
            return Ok(());
        }
        self.grow(additional)
    }

    #[cold]
    fn grow(&mut self, additional: usize) -> Result<()> {
        if self.bytes.len() >= self.check_at {
            self.check_at = self.bytes.len() + BYTES_PER_CHECK;
            check(self.lua)?;
        }
        if additional > OUTPUT_BYTES_MAX - self.bytes.len().min(OUTPUT_BYTES_MAX) {
            return Err(complain(self.lua, format!("output exceeds the limit of {OUTPUT_BYTES_MAX} bytes")));
        }
        let too_little = || mlua::Error::MemoryError("not enough memory for the output".to_owned());
        self.bytes.try_reserve(additional).map_err(|_| too_little())
    }
}
