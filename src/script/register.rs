//! `redis.register_function`: reads what a library says of a function, while the library is loaded.

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::sandbox::{Told, bytes_of, failed};

/// Most functions of a library.
const FUNCTIONS_MAX: usize = 1_000;
/// Most bytes of the names and descriptions of a library's functions together.
const NAMES_BYTES_MAX: usize = 64 << 10;

/// What a library has said of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its name.
    pub name: Vec<u8>,
    /// Its description, if it has one.
    pub description: Option<Vec<u8>>,
    /// Its flags, in the order of [`Flag::ALL`].
    pub flags: Vec<Flag>,
}

/// What a function, or a script, says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It changes nothing.
    NoWrites,
    /// It may run although the memory is used up.
    AllowOom,
    /// It may run on a replica that has lost its master.
    AllowStale,
    /// It must not run in a cluster.
    NoCluster,
    /// In a cluster, its keys may belong to several slots.
    AllowCrossSlotKeys,
}

impl Flag {
    /// All flags, in Redis's order.
    pub const ALL: [Flag; 5] =
        [Flag::NoWrites, Flag::AllowOom, Flag::AllowStale, Flag::NoCluster, Flag::AllowCrossSlotKeys];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Flag::NoWrites => "no-writes",
            Flag::AllowOom => "allow-oom",
            Flag::AllowStale => "allow-stale",
            Flag::NoCluster => "no-cluster",
            Flag::AllowCrossSlotKeys => "allow-cross-slot-keys",
        }
    }
}

/// The functions that a library has registered so far.
#[derive(Debug, Default)]
pub struct Registering {
    /// Each function with what the library has said of it.
    pub functions: Vec<(Registered, Function)>,
    /// Bytes of their names and descriptions.
    names_bytes: usize,
}

/// `redis.register_function`. `registering` is `None` if no library is being loaded.
pub fn register(lua: &Lua, registering: Option<&mut Registering>, args: &MultiValue) -> mlua::Result<Told> {
    let Some(registering) = registering else {
        return failed(lua, b"ERR redis.register_function can only be called on FUNCTION LOAD command");
    };
    let read = match (args.len(), args.front(), args.get(1)) {
        (1, Some(named), _) => read_named(lua, named),
        (2, Some(name), Some(callback)) => read_positional(lua, name, callback),
        _ => Err("wrong number of arguments to redis.register_function"),
    };
    match read.and_then(|(registered, function)| registering.add(registered, function)) {
        Ok(()) => Ok((true, Value::Nil)),
        Err(error) => failed(lua, format!("ERR {error}").as_bytes()),
    }
}

impl Registering {
    /// Adds a function.
    fn add(&mut self, registered: Registered, function: Function) -> Result<(), &'static str> {
        if !is_name(&registered.name) {
            return Err(BAD_NAME);
        }
        if self.functions.iter().any(|(known, _)| known.name == registered.name) {
            return Err("Function already exists in the library");
        }
        self.names_bytes += registered.name.len() + registered.description.as_ref().map_or(0, Vec::len);
        if self.functions.len() >= FUNCTIONS_MAX || self.names_bytes > NAMES_BYTES_MAX {
            return Err("a library may register 1000 functions, with 65536 bytes of names and descriptions");
        }
        self.functions.push((registered, function));
        Ok(())
    }
}

/// Redis's error for a name that [`is_name`] refuses.
pub const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                            character long";

/// True if a function or a library may have this name.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The form with two arguments.
fn read_positional(
    lua: &Lua,
    name: &Value,
    callback: &Value,
) -> Result<(Registered, Function), &'static str> {
    let name = text(lua, name).ok_or("first argument to redis.register_function must be a string")?;
    let callback =
        callback.as_function().ok_or("second argument to redis.register_function must be a function")?;
    Ok((Registered { name, description: None, flags: Vec::new() }, callback.clone()))
}

/// The form with a table of named arguments.
fn read_named(lua: &Lua, named: &Value) -> Result<(Registered, Function), &'static str> {
    let Value::Table(named) = named else {
        return Err(
            "calling redis.register_function with a single argument is only applicable to Lua table \
                    (representing named arguments).",
        );
    };
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, Vec::new());
    for pair in named.pairs::<Value, Value>() {
        let unknown = "unknown argument given to redis.register_function";
        let (key, value) = pair.map_err(|_| unknown)?;
        let key =
            text(lua, &key).ok_or("named argument key given to redis.register_function is not a string")?;
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => {
                let told = "function_name argument given to redis.register_function must be a string";
                name = Some(text(lua, &value).ok_or(told)?);
            }
            b"description" => {
                let told = "description argument given to redis.register_function must be a string";
                description = Some(text(lua, &value).ok_or(told)?);
            }
            b"callback" => {
                let told = "callback argument given to redis.register_function must be a function";
                callback = Some(value.as_function().ok_or(told)?.clone());
            }
            b"flags" => {
                let told =
                    "flags argument to redis.register_function must be a table representing function flags";
                flags = read_flags(lua, value.as_table().ok_or(told)?).ok_or("unknown flag given")?;
            }
            _ => return Err(unknown),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let callback = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok((Registered { name, description, flags }, callback))
}

/// The flags in a table, or `None` if one of them is unknown.
fn read_flags(lua: &Lua, table: &Table) -> Option<Vec<Flag>> {
    let mut given = Vec::new();
    for word in table.sequence_values::<Value>().take(FUNCTIONS_MAX) {
        let word = text(lua, &word.ok()?)?;
        given.push(Flag::ALL.into_iter().find(|flag| word.eq_ignore_ascii_case(flag.name().as_bytes()))?);
    }
    Some(Flag::ALL.into_iter().filter(|flag| given.contains(flag)).collect())
}

/// A string, or the text of a number.
fn text(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    bytes_of(lua, value).ok().map(|text| text.as_bytes().to_vec())
}
