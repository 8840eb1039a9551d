//! Tests of the library `cjson`.

use super::super::tests::{error, eval, random_strings, state};
use super::Main;
use mlua::{LuaString, MultiValue};

#[test]
fn values_are_written_as_redis_writes_them() {
    let lua = state();
    for (value, text) in [
        ("{}", "{}"),
        ("{1, 2.5, 'a/b', true, cjson.null}", r#"[1,2.5,"a\/b",true,null]"#),
        ("{a = {}}", r#"{"a":{}}"#),
        ("{[1.5] = 1}", r#"{"1.5":1}"#),
        ("{[3] = 1}", "[null,null,1]"),
        ("nil", "null"),
        ("1 / 3", "0.33333333333333"),
        ("1e15", "1e+15"),
        (r#"'\0\8\9\31\127"\\'"#, r#""\u0000\b\t\u001f\u007f\"\\""#),
    ] {
        assert_eq!(eval::<String>(&lua, &format!("cjson.encode({value})")), text, "{value}");
    }
    assert_eq!(eval::<LuaString>(&lua, r"cjson.encode('\255')").as_bytes(), &b"\"\xff\""[..]);
}

#[test]
fn what_cannot_be_written_is_refused_with_the_words_of_redis() {
    let lua = state();
    lua.load("t = {} t[1] = t").exec().unwrap();
    for (value, told) in [
        ("print", "Cannot serialise function: type not supported"),
        ("{[true] = 1}", "Cannot serialise boolean: table key must be a number or string"),
        ("{[100] = 1}", "Cannot serialise table: excessively sparse array"),
        ("0 / 0", "Cannot serialise number: must not be NaN or Inf"),
        ("t", "Cannot serialise, excessive nesting (1001)"),
    ] {
        assert_eq!(
            error(&lua, &format!("cjson.encode({value})")),
            format!("user_script:1: {told}"),
            "{value}"
        );
    }
}

#[test]
fn texts_are_read_as_redis_reads_them() {
    let lua = state();
    for (text, check) in [
        ("[1,2,{\"a\":null}]", "#v == 3 and v[3].a == cjson.null"),
        ("\"\\u20ac\\ud83d\\ude00\\n\\/\"", "v == '\\u{20ac}\\u{1f600}\\n/'"),
        (" 0x10 ", "v == 16"),
        ("-inf", "v == -1 / 0"),
        ("{\"a\":1,\"a\":2}", "v.a == 2"),
        ("12\0garbage", "v == 12"),
    ] {
        let read = lua.load(format!("local v = cjson.decode(...) return {check}")).into_function().unwrap();
        assert!(read.call::<bool>(text).unwrap(), "{text}");
    }
}

#[test]
fn broken_texts_are_refused_with_the_words_of_redis() {
    let lua = state();
    for (text, told) in [
        ("", "Expected value but found T_END at character 1"),
        ("[1,2", "Expected comma or array end but found T_END at character 5"),
        ("{1:2}", "Expected object key string but found T_NUMBER at character 2"),
        ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
        ("-", "Expected value but found invalid number at character 1"),
        ("\"\\x\"", "Expected value but found invalid escape code at character 2"),
        ("\"\\ud83d\"", "Expected value but found invalid unicode escape code at character 2"),
        ("\"abc", "Expected value but found unexpected end of string at character 5"),
        ("1 2", "Expected the end but found T_NUMBER at character 3"),
    ] {
        let expression = format!("cjson.decode([==[{text}]==])");
        assert_eq!(error(&lua, &expression), format!("user_script:1: {told}"), "{text}");
    }
    let told = "user_script:1: Found too many nested data structures (1001) at character 1001";
    assert_eq!(error(&lua, "cjson.decode(('['):rep(1e6))"), told);
}

#[test]
fn no_setting_makes_nesting_endless() {
    let lua = state();
    lua.load("cjson.encode_max_depth(2^31 - 1) cjson.decode_max_depth(2^31 - 1) t = {} t[1] = t")
        .exec()
        .unwrap();
    assert_eq!(error(&lua, "cjson.encode(t)"), "user_script:1: Cannot serialise, excessive nesting (1001)");
    let told = "user_script:1: Found too many nested data structures (7999) at character 7999";
    assert_eq!(error(&lua, "cjson.decode(('['):rep(1e6))"), told);
}

#[test]
fn a_reset_brings_every_setting_back() {
    let lua = state();
    let now = "table.concat({tostring(cjson.encode_sparse_array()), select(2, cjson.encode_sparse_array()),
        select(3, cjson.encode_sparse_array()), cjson.encode_max_depth(), cjson.decode_max_depth(),
        cjson.encode_number_precision(), tostring(cjson.encode_keep_buffer()),
        tostring(cjson.encode_invalid_numbers()), tostring(cjson.decode_invalid_numbers())}, ' ')";
    let defaults: String = eval(&lua, now);
    assert_eq!(defaults, "false 2 10 1000 1000 14 true false true");
    let change = "cjson.encode_sparse_array(true, 3, 4) cjson.encode_max_depth(5) cjson.decode_max_depth(6)
        cjson.encode_number_precision(7) cjson.encode_keep_buffer(false) cjson.encode_invalid_numbers('null')
        cjson.decode_invalid_numbers(false)";
    lua.load(change).exec().unwrap();
    assert_eq!(eval::<String>(&lua, now), "true 3 4 5 6 7 false null false");
    Main::of(&lua).reset();
    assert_eq!(eval::<String>(&lua, now), defaults);
}

#[test]
fn a_new_table_has_settings_of_its_own() {
    let lua = state();
    lua.load("other = cjson.new() other.encode_max_depth(1)").exec().unwrap();
    assert_eq!(eval::<(i64, i64)>(&lua, "cjson.encode_max_depth(), other.encode_max_depth()"), (1000, 1));
}

#[test]
fn random_texts_never_panic_and_what_they_mean_is_kept() {
    let lua = state();
    let round = lua.load(
        "local ok, value = pcall(cjson.decode, ...)
        if not ok then return type(value) == 'string' end
        cjson.encode_invalid_numbers(true)
        local once = cjson.encode(value)
        return #cjson.encode(cjson.decode(once)) == #once",
    );
    let round = round.into_function().unwrap();
    for text in random_strings(20_000, b"[]{},:\"\"ab\\u0123456789.-+eEnulltruefalse \0") {
        let results: MultiValue = round.call(lua.create_string(&text).unwrap()).unwrap();
        let kept = results.front().and_then(|value| value.as_boolean());
        assert_eq!(kept, Some(true), "{:?}", String::from_utf8_lossy(&text));
    }
}
