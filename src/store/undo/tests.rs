//! What the undo log promises: whatever was done, all is as before.

mod cost;
mod faults;
mod ops;
mod shot;
mod trials;
