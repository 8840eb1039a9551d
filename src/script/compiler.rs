//! Turns the text of a script or of a library into a function.

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Error, Function, Lua, Table};

/// Longest script, in bytes. Nothing can interrupt the compiler. It takes a few milliseconds for a script of this length, and
/// 0.2 seconds for the worst one that we know.
const SOURCE_BYTES_MAX: usize = 128 << 10;
/// Longest name of a chunk that a script compiles, in bytes. The rest is left out.
const CHUNK_NAME_BYTES_MAX: usize = 128;

/// Comes before each script. A global variable that a script assigns is looked up anew each time. Others are looked up when the
/// script is compiled, and `KEYS` and `ARGV` have other values in each run.
const KEYS_CHANGE: &[u8] = b"if nil then KEYS,ARGV=nil end ";

/// Compiles `source` for an environment.
pub fn compile(lua: &Lua, source: &[u8], name: &str, env: &Table) -> Result<Function, String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("the script is longer than {SOURCE_BYTES_MAX} bytes"));
    }
    let short: String = name.chars().take(CHUNK_NAME_BYTES_MAX).collect();
    let source = [KEYS_CHANGE, source].concat();
    let chunk = lua.load(source).set_name(format!("@{short}")).set_mode(ChunkMode::Text);
    chunk.set_environment(env.clone()).into_function().map_err(|error| match error {
        Error::SyntaxError { message, .. } => message,
        other => other.to_string(),
    })
}

/// How scripts are compiled: so that errors tell their lines, and so that the interpreter calls the functions that scripts see.
pub fn compiler() -> Compiler {
    let disabled = NOT_BUILT_IN.iter().flat_map(|(library, names)| {
        let dot = if library.is_empty() { "" } else { "." };
        names.split_whitespace().map(move |name| format!("{library}{dot}{name}"))
    });
    Compiler::new().set_optimization_level(1).set_debug_level(1).set_disabled_builtins(disabled)
}

/// Functions that the compiler would replace by instructions of the interpreter. Scripts must not: they do not see these functions, or
/// see others of the same name, or the work of one call has no bound, and only at a call can a script be stopped.
const NOT_BUILT_IN: [(&str, &str); 8] = [
    ("", "tostring tonumber unpack typeof rawlen"),
    ("string", "byte char len sub"),
    ("table", "insert unpack"),
    ("math", "clamp sign round lerp isnan isinf isfinite noise map"),
    (
        "bit32",
        "arshift band bnot bor bxor btest extract lrotate lshift replace rrotate rshift countlz countrz byteswap",
    ),
    (
        "buffer",
        "readi8 readu8 writei8 writeu8 readi16 readu16 writei16 writeu16 readi32 readu32 writei32 writeu32 readf32 \
         writef32 readf64 writef64 readinteger writeinteger",
    ),
    ("vector", "create magnitude normalize cross dot floor ceil abs sign clamp min max lerp"),
    (
        "integer",
        "add sub mod mul div idiv udiv rem urem min max neg create clamp band bor bxor bnot btest bswap lt le ult ule \
         gt ge ugt uge lshift rshift arshift lrotate rrotate countrz countlz extract tonumber",
    ),
];
