//! What the tests of the libraries share.

use mlua::{FromLuaMulti, Lua, LuaString};

/// A state of Lua that has the libraries.
pub fn state() -> Lua {
    let lua = Lua::new();
    let globals = lua.globals();
    super::open(&lua)
        .unwrap()
        .for_each(|name: mlua::Value, library: mlua::Value| globals.raw_set(name, library))
        .unwrap();
    lua
}

/// What an expression gives.
pub fn eval<R: FromLuaMulti>(lua: &Lua, expression: &str) -> R {
    lua.load(format!("return {expression}")).set_name("@user_script").eval().unwrap()
}

/// The error that an expression raises, which must be a string.
pub fn error(lua: &Lua, expression: &str) -> String {
    let source = format!("return select(2, pcall(function() local _ = {expression} end))");
    let text: LuaString = lua.load(source).set_name("@user_script").eval().unwrap();
    text.to_str().unwrap().to_string()
}

/// Strings of random bytes, of which each one of `common` is frequent.
pub fn random_strings(count: usize, common: &'static [u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    (0..count).map(move |_| {
        let len = random() % 40;
        (0..len)
            .map(|_| if random() % 4 == 0 { random() as u8 } else { common[random() % common.len()] })
            .collect()
    })
}

#[test]
fn errors_are_strings_with_the_place_of_the_call() {
    let lua = state();
    assert_eq!(
        error(&lua, "cjson.decode('nope')"),
        "user_script:1: Expected value but found invalid token at character 1"
    );
    let direct: (bool, String) = eval(&lua, "pcall(cjson.decode)");
    assert_eq!(direct, (false, "bad argument #1 to '?' (expected 1 argument)".to_owned()));
    assert_eq!(
        error(&lua, "cjson.decode()"),
        "user_script:1: bad argument #1 to 'decode' (expected 1 argument)"
    );
}

#[test]
fn output_beyond_the_limit_is_refused() {
    let lua = state();
    let told = format!("user_script:1: output exceeds the limit of {} bytes", super::OUTPUT_BYTES_MAX);
    lua.load("t = {} for i = 1, 70 do t[i] = string.rep('a', 2^20) end").exec().unwrap();
    assert_eq!(error(&lua, "cjson.encode(t)"), told);
    assert_eq!(error(&lua, "cmsgpack.pack(t)"), told);
    assert_eq!(error(&lua, "struct.pack(string.rep('s', 70), table.unpack(t))"), told);
    lua.load("cjson.encode_sparse_array(true, 0)").exec().unwrap();
    assert_eq!(error(&lua, "cjson.encode({[2^31 - 1] = 1})"), told);
}
