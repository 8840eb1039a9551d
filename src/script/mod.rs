//! Runs the scripts of clients, in an interpreter for Luau, a Lua that is made for code that nobody trusts.
//!
//! This room knows Lua and the protocol's values, and neither keys nor clients: the [`Host`] runs the commands. Its
//! invariants:
//!
//! - A script sees what `sandbox` lets it see, and can change nothing that another script sees.
//! - A script that the host wants to stop, or that asks for too much memory, ends. It can catch no such end.
//! - There are at most two interpreters for each thread: one for scripts, and one for functions. None is made before the first
//!   script or function.
//!
//! The parts: `engine` is the interpreter and the scripts that it has compiled, `compiler` compiles them, and `density` tells
//! which of them are watched at each instruction. `functions` loads libraries and runs their functions, with
//! `functions.luau`. `sandbox` builds what scripts see, with `prelude.luau` and `wording.luau`. `call` runs commands for `redis.call`, and
//! `value` reads their replies; both use `stack`, the plain interface of the interpreter, which finds what is `attached`.
//! `ended` says how a script ends, and `answer` writes what it returns as a reply. `random` has the random numbers, and
//! `library` the libraries that Redis adds to Lua.

mod answer;
mod attached;
mod call;
mod compiler;
mod density;
mod ended;
mod engine;
mod functions;
mod host;
mod library;
mod random;
mod register;
mod sandbox;
mod stack;
mod value;

pub use ended::{Answer, Ended, Errors, Fault};
pub use engine::{Engine, Sha, drop_engine, engine_memory, with_engine};
pub use functions::{
    Functions, LoadError, drop_functions, forget_libraries, functions_memory, with_functions,
};
pub use host::{ASK_EVERY, Host, Stop};
pub use register::{BAD_NAME, Flag, Registered, is_name};
