//! The commands about the caller's own connection.

use crate::base::Reason;
use crate::config::{LABEL_BYTES_MAX, REDIS_VERSION};
use crate::resp::{Proto, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::moving::Moves;
use crate::service::session::{Labels, ReplyMode};

/// The error for every user except `default`.
const WRONG_PASSWORD: Failure =
    Failure::text("WRONGPASS invalid username-password pair or user is disabled.");

/// `PING [message]`: replies `PONG`, or the message.
pub fn ping(cx: &mut Cx<'_>) -> Outcome {
    let session = cx.session();
    if session.is_subscriber() && session.proto == Proto::Resp2 && cx.args.len() <= 2 {
        // A subscriber that speaks RESP2 gets replies and messages as arrays, and tells them apart by the
        // first word.
        cx.reply.array(2);
        cx.reply.bulk(b"pong");
        cx.reply.bulk(cx.args.get(1).unwrap_or_default());
        return Ok(());
    }
    match cx.args.len() {
        1 => cx.reply.simple("PONG"),
        2 => cx.reply.bulk(cx.arg(1)),
        _ => return Err(Failure::text("ERR wrong number of arguments for 'ping' command")),
    }
    Ok(())
}

/// `ECHO message`: replies with the message.
pub fn echo(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.bulk(cx.arg(1));
    Ok(())
}

/// `QUIT`: ends the connection.
pub fn quit(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.ok();
    cx.close = Some(Reason::Quit);
    Ok(())
}

/// `RESET`: ends the caller's transaction, watches and subscriptions, and gives it the settings of a new
/// connection. The names of its library stay.
pub fn reset(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.simple("RESET");
    cx.world.forget_dealings(cx.me);
    let labels = Labels { name: Box::default(), ..cx.session().labels().clone() };
    cx.world.sessions.relabel(cx.me.slot, labels);
    let session = cx.session();
    session.proto = Proto::Resp2;
    if session.reply != ReplyMode::Skipping {
        session.reply = ReplyMode::On;
    }
    session.no_evict = false;
    session.no_touch = false;
    session.moves = Moves::Untold;
    session.db = 0;
    if cx.session().monitor {
        cx.world.monitor(cx.me, false);
    }
    cx.world.store.select(0);
    Ok(())
}

/// `SELECT index`: selects a database for the caller.
pub fn select(cx: &mut Cx<'_>) -> Outcome {
    let db = cx.database(1)?;
    cx.world.store.prepare_database(db)?;
    cx.session().db = db;
    cx.world.store.select(db);
    cx.reply.ok();
    Ok(())
}

/// `AUTH [username] password`: no password can be set, so the user `default` may give any. As in Redis, a
/// password without a user is then an error.
pub fn auth(cx: &mut Cx<'_>) -> Outcome {
    match cx.args.len() {
        2 => Err(Failure::text(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        )),
        3 => {
            authenticate(cx.arg(1))?;
            cx.reply.ok();
            Ok(())
        }
        _ => Err(SYNTAX),
    }
}

/// Accepts the user `default` with any password, as a Redis does in which no password is configured.
fn authenticate(user: &[u8]) -> Outcome {
    if user == b"default" { Ok(()) } else { Err(WRONG_PASSWORD) }
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`: chooses the protocol version, and
/// replies with facts about the server and the connection.
pub fn hello(cx: &mut Cx<'_>) -> Outcome {
    let proto = match cx.args.get(1) {
        None => cx.session().proto,
        Some(version) => match parse_i64(version) {
            Some(2) => Proto::Resp2,
            Some(3) => Proto::Resp3,
            Some(_) => return Err(Failure::text("NOPROTO unsupported protocol version")),
            None => return Err(Failure::text("ERR Protocol version is not an integer or out of range")),
        },
    };
    let mut name = None;
    let mut at = 2;
    while at < cx.args.len() {
        let left = cx.args.len() - at;
        let word = cx.arg(at);
        if is(word, "AUTH") && left > 2 {
            authenticate(cx.arg(at + 1))?;
            at += 3;
        } else if is(word, "SETNAME") && left > 1 {
            name = Some(checked_label(cx.arg(at + 1), "Client names")?);
            at += 2;
        } else {
            return Err(Failure::quoting("ERR Syntax error in HELLO option '", word, "'"));
        }
    }
    greet(cx, proto);
    cx.whole_reply()?;
    cx.reply.assure();
    if let Some(name) = name {
        let labels = Labels { name: name.into(), ..cx.session().labels().clone() };
        cx.world.sessions.relabel(cx.me.slot, labels);
    }
    cx.session().proto = proto;
    if proto == Proto::Resp2 {
        cx.session().moves = Moves::Untold;
    }
    Ok(())
}

/// Writes the reply of `HELLO`, in the version that the client has chosen.
fn greet(cx: &mut Cx<'_>, proto: Proto) {
    let reply = &mut cx.reply;
    reply.set_proto(proto);
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if proto == Proto::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(cx.me.serial as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

/// Checks a name that will be part of a line of `CLIENT LIST`: it may be empty, but it must not be too
/// long, and it must have only printable ASCII characters and no spaces.
///
/// # Errors
/// A text that calls the name `what`. Where Redis has the same error, it is Redis's text.
pub fn checked_label<'a>(label: &'a [u8], what: &str) -> Result<&'a [u8], Failure> {
    if label.len() > LABEL_BYTES_MAX {
        let text = format!("ERR {what} cannot be longer than {LABEL_BYTES_MAX} bytes.");
        return Err(Failure::telling(text));
    }
    if label.iter().all(u8::is_ascii_graphic) {
        return Ok(label);
    }
    Err(Failure::telling(format!("ERR {what} cannot contain spaces, newlines or special characters.")))
}
