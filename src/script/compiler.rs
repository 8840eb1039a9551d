//! Turns the text of a script or of a library into a function.

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Error, Function, Lua, Table};

/// Longest script, in bytes. Nothing can interrupt the compiler. It takes a few milliseconds for a script of this length, and
/// 0.2 seconds for the worst one that we know.
const SOURCE_BYTES_MAX: usize = 128 << 10;
/// Longest name of a chunk that a script compiles, in bytes. The rest is left out.
const CHUNK_NAME_BYTES_MAX: usize = 128;

/// Compiles `source` for an environment.
pub fn compile(lua: &Lua, source: &[u8], name: &str, env: &Table) -> Result<Function, String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("the script is longer than {SOURCE_BYTES_MAX} bytes"));
    }
    let short: String = name.chars().take(CHUNK_NAME_BYTES_MAX).collect();
    let chunk = lua.load(source).set_name(format!("@{short}")).set_mode(ChunkMode::Text);
    chunk.set_environment(env.clone()).into_function().map_err(|error| match error {
        Error::SyntaxError { message, .. } => message,
        other => other.to_string(),
    })
}

/// How scripts are compiled: so that errors tell their lines, and so that the interpreter calls our `tostring`.
pub fn compiler() -> Compiler {
    Compiler::new().set_optimization_level(1).set_debug_level(1).set_disabled_builtins(["tostring"])
}
