//! `FCALL` and its like, and `FUNCTION`.

use std::sync::Arc;

use super::getkeys::flags;
use crate::rdb::{Libraries, LibraryError, dump_libraries};
use crate::resp::parse_i64;
use crate::script::{Flag, forget_libraries};
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::functions::{Functions, Library};
use crate::service::glob::{Case, Pattern};
use crate::service::scripting::{FIRST_KEY, Program, Run, run};
use crate::service::scripts::Flags;
use crate::service::world::World;

/// Bytes of a library in the reply of `FUNCTION DUMP` besides its text, at most.
const DUMPED_BYTES: usize = 10;

/// `FCALL function numkeys [key ...] [arg ...]`: runs a function.
pub fn fcall(cx: &mut Cx<'_>) -> Outcome {
    call(cx, false)
}

/// `FCALL_RO`: the same for a function that changes nothing.
pub fn fcall_ro(cx: &mut Cx<'_>) -> Outcome {
    call(cx, true)
}

fn call(cx: &mut Cx<'_>, read_only: bool) -> Outcome {
    let found = cx.world.functions.find(cx.arg(1)).ok_or(Failure::text("ERR Function not found"))?;
    let (library, at) = (&found.0, found.1);
    let count = parse_i64(cx.arg(2)).ok_or(Failure::text("ERR Bad number of keys provided"))?;
    if count > (cx.args.len() - FIRST_KEY) as i64 {
        return Err(Failure::text("ERR Number of keys can't be greater than number of args"));
    }
    let Ok(keys) = usize::try_from(count) else {
        return Err(Failure::text("ERR Number of keys can't be negative"));
    };
    let flags = Flags::declared(&library.functions[at].flags);
    run(cx, &Run { program: Program::Function { library, at }, flags, keys, read_only })
}

/// `FUNCTION LOAD [REPLACE] code`: loads a library, and returns its name.
pub fn load(cx: &mut Cx<'_>) -> Outcome {
    let last = cx.args.len() - 1;
    let options = cx.args.from(2).take(last - 2);
    if let Some(unknown) = options.clone().find(|word| !is(word, "REPLACE")) {
        return Err(Failure::quoting("ERR Unknown option given: ", unknown, ""));
    }
    let replaces = options.len() > 0;
    let mut library = Library::read(cx.arg(last))?;
    if !replaces && cx.world.functions.library(&library.name).is_some() {
        return Err(Failure::quoting("ERR Library '", &library.name, "' already exists"));
    }
    library.number = cx.world.functions.next_number();
    cx.while_loading(|loading| loading.load_new(&mut library))?;
    let stays = |known: &Library| known.name != library.name;
    let checked = cx.world.functions.check([&library].into_iter(), stays).and_then(|()| {
        cx.reply.bulk(&library.name);
        cx.whole_reply()
    });
    if let Err(failure) = checked {
        forget_libraries([library.number]);
        return Err(failure);
    }
    cx.reply.assure();
    let replaced = cx.world.functions.unlink(&library.name);
    forget_libraries(replaced.map(|library| library.number));
    cx.world.functions.link(Arc::new(library));
    Ok(())
}

/// `FUNCTION DELETE library`: forgets a library.
pub fn delete(cx: &mut Cx<'_>) -> Outcome {
    let name = cx.arg(2);
    if cx.world.functions.library(name).is_none() {
        return Err(Failure::text("ERR Library not found"));
    }
    cx.reply.assure();
    let gone = cx.world.functions.unlink(name);
    forget_libraries(gone.map(|library| library.number));
    cx.reply.ok();
    Ok(())
}

/// `FUNCTION FLUSH [ASYNC|SYNC]`: forgets all libraries.
pub fn flush(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() > 3 {
        return Err(wrong_subcommand("FLUSH"));
    }
    if cx.args.get(2).is_some_and(|word| !is(word, "sync") && !is(word, "async")) {
        return Err(Failure::text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    cx.reply.assure();
    cx.world.flush_functions();
    cx.reply.ok();
    Ok(())
}

/// Redis's error for a subcommand with too many arguments.
fn wrong_subcommand(name: &str) -> Failure {
    Failure::telling(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."
    ))
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`: the libraries and their functions.
pub fn list(cx: &mut Cx<'_>) -> Outcome {
    let (mut pattern, mut with_code, mut at) = (None, false, 2);
    while let Some(word) = cx.args.get(at) {
        if !with_code && is(word, "WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && is(word, "LIBRARYNAME") {
            at += 1;
            let wanted = cx.args.get(at).ok_or(Failure::text("ERR library name argument was not given"))?;
            pattern = Some(Pattern::new(wanted, Case::Ignored)?);
        } else {
            return Err(Failure::quoting("ERR Unknown argument ", word, ""));
        }
        at += 1;
    }
    let wanted =
        |library: &&Arc<Library>| pattern.as_ref().is_none_or(|pattern| pattern.matches(&library.name));
    let libraries = || cx.world.functions.libraries().filter(wanted);
    cx.reply.array(libraries().count());
    for library in libraries() {
        cx.reply.map(if with_code { 4 } else { 3 });
        cx.reply.bulk(b"library_name");
        cx.reply.bulk(&library.name);
        cx.reply.bulk(b"engine");
        cx.reply.bulk(b"LUA");
        cx.reply.bulk(b"functions");
        cx.reply.array(library.functions.len());
        for function in &library.functions {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(&function.name);
            cx.reply.bulk(b"description");
            cx.reply.bulk_or_null(function.description.as_deref());
            cx.reply.bulk(b"flags");
            let names: Vec<&str> = function.flags.iter().copied().map(Flag::name).collect();
            flags(&mut cx.reply, &names);
        }
        if with_code {
            cx.reply.bulk(b"library_code");
            cx.reply.bulk(&library.code);
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `FUNCTION STATS`: what runs, and how many libraries and functions there are. While a function runs, nobody can ask.
pub fn stats(cx: &mut Cx<'_>) -> Outcome {
    let now = cx.world.read_clock().at;
    let World { functions, script, .. } = &*cx.world;
    cx.reply.map(2);
    cx.reply.bulk(b"running_script");
    match script {
        None => cx.reply.null(),
        Some(script) if !script.is_function => return Err(cx.world.busy_error()),
        Some(script) => {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(script.request.get(1).map_or(b"", Vec::as_slice));
            cx.reply.bulk(b"command");
            cx.reply.array(script.request.len());
            script.request.iter().for_each(|word| cx.reply.bulk(word));
            cx.reply.bulk(b"duration_ms");
            cx.reply.int(script.ms(now) as i64);
        }
    }
    cx.reply.bulk(b"engines");
    cx.reply.map(1);
    cx.reply.bulk(b"LUA");
    cx.reply.map(2);
    cx.reply.bulk(b"libraries_count");
    cx.reply.int(functions.libraries().len() as i64);
    cx.reply.bulk(b"functions_count");
    cx.reply.int(functions.len() as i64);
    Ok(())
}

/// `FUNCTION DUMP`: all libraries as `FUNCTION RESTORE` takes them.
pub fn dump(cx: &mut Cx<'_>) -> Outcome {
    let libraries = cx.world.functions.libraries();
    let bytes: usize = libraries.clone().map(|library| library.code.len() + DUMPED_BYTES).sum();
    if bytes > cx.world.config.max_reply_bytes {
        return Err(cx.reply_too_long());
    }
    let payload = dump_libraries(libraries.map(|library| &*library.code))?;
    cx.reply.bulk(&payload);
    Ok(())
}

/// How the libraries of a payload meet those that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// All that there are go.
    Flush,
    /// None may have a name that there is.
    Append,
    /// They take the place of those with the same names.
    Replace,
}

/// `FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]`: loads the libraries that `FUNCTION DUMP` has told.
pub fn restore(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() > 4 {
        return Err(wrong_subcommand("RESTORE"));
    }
    let policy = match cx.args.get(3) {
        None => Policy::Append,
        Some(word) if is(word, "append") => Policy::Append,
        Some(word) if is(word, "replace") => Policy::Replace,
        Some(word) if is(word, "flush") => Policy::Flush,
        Some(_) => {
            return Err(Failure::text(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
    };
    let mut added = cx.world.functions.successor();
    let restored = read_payload(cx, &mut added).and_then(|()| join(cx.world, &added, policy));
    if let Err(failure) = restored {
        forget_libraries(added.libraries().map(|library| library.number));
        return Err(failure);
    }
    cx.reply.assure();
    replace(cx.world, added, policy);
    cx.reply.ok();
    Ok(())
}

/// Loads the libraries of the payload into `added`. All together may take as long as a script may run.
fn read_payload(cx: &mut Cx<'_>, added: &mut Functions) -> Outcome {
    let texts = Libraries::of(cx.arg(2), cx.world.config.proto_max_bulk_len)?;
    cx.while_loading(|loading| {
        for text in texts {
            let mut library = Library::read(&text?)?;
            if added.library(&library.name).is_some() {
                return Err(Failure::quoting("ERR Library '", &library.name, "' already exists"));
            }
            loading.next()?;
            library.number = added.next_number();
            loading.load_new(&mut library)?;
            if let Err(failure) = added.check([&library].into_iter(), |_| true) {
                forget_libraries([library.number]);
                return Err(failure);
            }
            added.link(Arc::new(library));
        }
        Ok(())
    })
}

/// Checks that the libraries in `added` may be added with this policy.
fn join(world: &World, added: &Functions, policy: Policy) -> Outcome {
    let collides = |library: &&Arc<Library>| world.functions.library(&library.name).is_some();
    if policy == Policy::Append
        && let Some(library) = added.libraries().find(collides)
    {
        return Err(Failure::quoting("ERR Library ", &library.name, " already exists"));
    }
    let stays = |known: &Library| policy != Policy::Flush && added.library(&known.name).is_none();
    world.functions.check(added.libraries().map(|library| &**library), stays)
}

/// Adds these libraries, which [`join`] has passed.
fn replace(world: &mut World, added: Functions, policy: Policy) {
    let mut gone = Vec::new();
    if policy == Policy::Flush {
        gone.extend(world.functions.libraries().map(|library| library.number));
        world.functions = added;
    } else {
        for library in added.libraries() {
            gone.extend(world.functions.unlink(&library.name).map(|library| library.number));
            world.functions.link(Arc::clone(library));
        }
        world.functions.follow(&added);
    }
    forget_libraries(gone);
}

/// `FUNCTION KILL`: ends the function that runs, and undoes what it has done.
pub fn kill(cx: &mut Cx<'_>) -> Outcome {
    cx.world.kill_script(true)?;
    cx.reply.ok();
    Ok(())
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Failure {
        match error {
            LibraryError::Beta => Failure::text("ERR Pre-GA function format not supported"),
            LibraryError::NotALibrary => Failure::text("ERR given type is not a function"),
            LibraryError::Damaged => Failure::text("ERR Failed loading library payload"),
            LibraryError::OutOfMemory => crate::base::OutOfMemory.into(),
        }
    }
}
