//! `EVAL` and its like, and `SCRIPT`.

use sha1_smol::Sha1;

use crate::script::Sha;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::scripting::{FIRST_KEY, NO_SCRIPT, Program, Run, hex, run};
use crate::service::scripts::{Flags, Script};

/// `EVAL script numkeys [key ...] [arg ...]`: runs a script.
pub fn eval(cx: &mut Cx<'_>) -> Outcome {
    eval_text(cx, false)
}

/// `EVAL_RO`: the same for a script that changes nothing.
pub fn eval_ro(cx: &mut Cx<'_>) -> Outcome {
    eval_text(cx, true)
}

/// `EVALSHA sha1 numkeys [key ...] [arg ...]`: runs a script that the server knows.
pub fn evalsha(cx: &mut Cx<'_>) -> Outcome {
    eval_name(cx, false)
}

/// `EVALSHA_RO`: the same for a script that changes nothing.
pub fn evalsha_ro(cx: &mut Cx<'_>) -> Outcome {
    eval_name(cx, true)
}

fn eval_text(cx: &mut Cx<'_>, read_only: bool) -> Outcome {
    let keys = count_keys(cx)?;
    let sha = Sha1::from(cx.arg(1)).digest().bytes();
    let flags = match cx.world.scripts.use_one(&sha) {
        Some(flags) => flags,
        None => learn(cx, sha, false)?,
    };
    run(cx, &Run { program: Program::Script(sha), flags, keys, read_only })
}

fn eval_name(cx: &mut Cx<'_>, read_only: bool) -> Outcome {
    let keys = count_keys(cx)?;
    let sha = parse_sha(cx.arg(1)).ok_or(NO_SCRIPT)?;
    let flags = cx.world.scripts.use_one(&sha).ok_or(NO_SCRIPT)?;
    run(cx, &Run { program: Program::Script(sha), flags, keys, read_only })
}

/// How many of the arguments are keys.
fn count_keys(cx: &Cx<'_>) -> Result<usize, Failure> {
    let count = cx.int(2)?;
    let Ok(keys) = usize::try_from(count) else {
        return Err(Failure::text("ERR Number of keys can't be negative"));
    };
    if keys > cx.args.len() - FIRST_KEY {
        return Err(Failure::text("ERR Number of keys can't be greater than number of args"));
    }
    Ok(keys)
}

/// Compiles and keeps the script in the first argument after the name of the command, or of the subcommand. Returns what its first
/// line says.
fn learn(cx: &mut Cx<'_>, sha: Sha, loaded: bool) -> Result<Flags, Failure> {
    let text = cx.arg(if loaded { 2 } else { 1 });
    let script = Script::read(text)?;
    let flags = script.flags;
    cx.world.compile(sha, &script)?;
    cx.world.keep_script(sha, script, loaded)?;
    Ok(flags)
}

/// `SCRIPT LOAD script`: makes a script known, and returns its name.
pub fn load(cx: &mut Cx<'_>) -> Outcome {
    let sha = Sha1::from(cx.arg(2)).digest().bytes();
    learn(cx, sha, true)?;
    cx.reply.bulk(hex(&sha).as_bytes());
    Ok(())
}

/// `SCRIPT EXISTS sha1 [sha1 ...]`: for each script whether the server knows it.
pub fn exists(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(cx.args.len() - 2);
    for name in cx.args.from(2) {
        let known = parse_sha(name).is_some_and(|sha| cx.world.scripts.contains(&sha));
        cx.reply.int(i64::from(known));
    }
    Ok(())
}

/// `SCRIPT FLUSH [ASYNC|SYNC]`: forgets all scripts.
pub fn flush(cx: &mut Cx<'_>) -> Outcome {
    let wrong =
        cx.args.len() > 3 || cx.args.get(2).is_some_and(|word| !is(word, "sync") && !is(word, "async"));
    if wrong {
        return Err(Failure::text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.reply.assure();
    cx.world.flush_scripts();
    cx.reply.ok();
    Ok(())
}

/// `SCRIPT SHOW sha1`: the text of a script.
pub fn show(cx: &mut Cx<'_>) -> Outcome {
    let sha = parse_sha(cx.arg(2)).ok_or(NO_SCRIPT)?;
    let script = cx.world.scripts.get(&sha).ok_or(NO_SCRIPT)?;
    cx.reply.bulk(&script.text);
    Ok(())
}

/// `SCRIPT KILL`: ends the script that runs, and undoes what it has done.
pub fn kill(cx: &mut Cx<'_>) -> Outcome {
    cx.world.kill_script(false)?;
    cx.reply.ok();
    Ok(())
}

/// `SCRIPT DEBUG`: refused.
pub fn debug(_: &mut Cx<'_>) -> Outcome {
    Err(Failure::text("ERR SCRIPT DEBUG is not supported: there is no debugger for scripts"))
}

/// The value of each hexadecimal digit, and [`NO_DIGIT`] for any other byte. Digit by digit with `to_digit`, the name took 4 % of
/// the time of the shortest script.
const DIGITS: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = 0x10;

/// The name of a script: 40 hexadecimal digits.
fn parse_sha(text: &[u8]) -> Option<Sha> {
    let digits: &[u8; 40] = text.try_into().ok()?;
    let (mut sha, mut wrong) = (Sha::default(), 0);
    for (byte, pair) in sha.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| DIGITS[usize::from(digit)]);
        *byte = high << 4 | low;
        wrong |= high | low;
    }
    (wrong < NO_DIGIT).then_some(sha)
}
