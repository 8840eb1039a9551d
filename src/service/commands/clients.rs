//! `CLIENT INFO`, `CLIENT LIST` and `CLIENT KILL`: the commands that look at clients from outside.

use std::fmt::Write as _;

use crate::base::{ConnId, Peer, Reason, Wire, memory};
use crate::resp::{Proto, parse_i64};
use crate::service::channels::Kind;
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::outbox::Ask;
use crate::service::session::{Session, Sessions};
use crate::service::tracking::Wishes;
use crate::service::transaction::Transaction;

/// `CLIENT INFO`: the caller's own line of `CLIENT LIST`.
pub fn info(cx: &mut Cx<'_>) -> Outcome {
    let mut text = String::new();
    if let Some(session) = cx.world.sessions.get(cx.me.slot) {
        describe(&mut text, cx, cx.me, session);
    }
    cx.reply.verbatim(&text);
    Ok(())
}

/// `CLIENT LIST [TYPE type | ID id ...]`: one line for each client, the oldest client first.
pub fn list(cx: &mut Cx<'_>) -> Outcome {
    let wanted = match (cx.args.len(), cx.args.get(2)) {
        (2, _) => Wanted::All,
        (4, Some(word)) if is(word, "TYPE") => Wanted::of_type(cx.arg(3))?,
        (4.., Some(word)) if is(word, "ID") => Wanted::ids(cx)?,
        _ => return Err(SYNTAX),
    };
    let mut text = String::new();
    for (id, session) in cx.world.sessions.by_age() {
        if wanted.accepts(id, session) {
            describe(&mut text, cx, id, session);
        }
    }
    cx.reply.verbatim(&text);
    Ok(())
}

/// Which clients a command is about.
enum Wanted {
    /// Every client.
    All,
    /// No client. The types `MASTER`, `REPLICA` and `SLAVE` select none, because there is no replication.
    Nobody,
    /// Clients without subscriptions.
    Normal,
    /// Clients with subscriptions.
    Subscribers,
    /// Clients with these ids, which are sorted.
    Ids(Vec<i64>),
}

impl Wanted {
    fn accepts(&self, id: ConnId, session: &Session) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Nobody => false,
            Wanted::Normal => !session.is_subscriber(),
            Wanted::Subscribers => session.is_subscriber(),
            Wanted::Ids(ids) => ids.binary_search(&(id.serial as i64)).is_ok(),
        }
    }

    /// The ids after the word `ID`.
    fn ids(cx: &Cx<'_>) -> Result<Wanted, Failure> {
        let parse = |id| parse_i64(id).ok_or(Failure::text("ERR Invalid client ID"));
        let mut ids = cx.args.from(3).map(parse).collect::<Result<Vec<i64>, Failure>>()?;
        ids.sort_unstable();
        Ok(Wanted::Ids(ids))
    }

    /// The clients of a type, as Redis names it.
    fn of_type(word: &[u8]) -> Result<Wanted, Failure> {
        match word {
            _ if is(word, "NORMAL") => Ok(Wanted::Normal),
            _ if is(word, "PUBSUB") => Ok(Wanted::Subscribers),
            _ if ["MASTER", "REPLICA", "SLAVE"].iter().any(|name| is(word, name)) => Ok(Wanted::Nobody),
            _ => Err(Failure::quoting("ERR Unknown client type '", word, "'")),
        }
    }
}

/// Appends the line of one client. Its format is Redis's.
fn describe(text: &mut String, cx: &Cx<'_>, id: ConnId, session: &Session) {
    let (labels, now) = (session.labels(), cx.world.now);
    let mut wire = cx.wires.wire(id.slot);
    if id == cx.me {
        // The caller's buffers are lent to this turn, so `wires` does not see them.
        (wire.input, wire.output) = (cx.args.held_in(), cx.reply.pending());
    }
    let Wire { input, output, memory } = wire;
    let _ = write!(text, "id={} addr={}", id.serial, cx.world.sessions.remote(session));
    if let Some(local) = cx.world.sessions.local(session) {
        let _ = write!(text, " laddr={local}");
    }
    let subscribed = |kind| session.subscriptions().map_or(0, |mine| mine.count(kind));
    let _ = writeln!(
        text,
        " fd={slot} name={name} age={age} idle={idle} flags={flags} db={db} sub={sub} psub={psub} ssub={ssub} \
         multi={multi} qbuf={input} qbuf-free=0 argv-mem=0 multi-mem={queued} obl={output} oll=0 omem={output} \
         tot-mem={total} events=r cmd={command} user=default redir={redir} resp={resp} lib-name={lib_name} \
         lib-ver={lib_ver}",
        slot = id.slot,
        name = String::from_utf8_lossy(&labels.name),
        age = now.at.since(session.opened).as_secs(),
        idle = now.at.since(session.last).as_secs(),
        flags = flags(session),
        db = session.db,
        redir = redirection(session),
        sub = subscribed(Kind::Channel),
        psub = subscribed(Kind::Pattern),
        ssub = subscribed(Kind::Shard),
        multi = session.transaction().map_or(-1, |transaction| transaction.len() as i64),
        queued = session.transaction().map_or(0, Transaction::memory),
        total = memory + size_of::<Session>(),
        command = session.command.map_or("NULL", |command| command.name),
        resp = if session.proto == Proto::Resp3 { 3 } else { 2 },
        lib_name = String::from_utf8_lossy(&labels.lib_name),
        lib_ver = String::from_utf8_lossy(&labels.lib_ver),
    );
}

/// The client to which a tracking client redirects its messages: 0 for none, -1 if the client is not tracking.
pub fn redirection(session: &Session) -> i64 {
    let to = |wishes: &Wishes| wishes.redirect.map_or(0, |id| id.serial as i64);
    session.tracking().map_or(-1, to)
}

/// The flags of a client: Redis's letters in Redis's order, or `N` if it has none.
fn flags(session: &Session) -> String {
    let letters = [
        ('O', session.monitor),
        ('P', session.is_subscriber()),
        ('x', session.transaction().is_some()),
        ('b', session.is_waiting()),
        ('t', session.tracking().is_some()),
        ('R', session.tracking().is_some_and(|wishes| wishes.broken)),
        ('B', session.tracking().is_some_and(|wishes| wishes.bcast)),
        ('d', session.is_touched()),
        ('U', session.peer == Peer::UNIX),
        ('e', session.no_evict),
        ('T', session.no_touch),
    ];
    let set: String = letters.into_iter().filter_map(|(letter, is)| is.then_some(letter)).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

/// `CLIENT KILL address` or `CLIENT KILL filter value [filter value ...]`: ends the connections of the
/// clients that the address or all the filters select.
pub fn kill(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() == 3 {
        let address = cx.arg(2);
        let killed =
            kill_where(cx, |_, session, sessions| sessions.remote(session).to_string().as_bytes() == address);
        if killed.is_empty() {
            return Err(Failure::text("ERR No such client"));
        }
        cx.reply.ok();
        condemn(cx, killed);
        return Ok(());
    }
    let filter = Filter::of(cx)?;
    let (me, now) = (cx.me, cx.world.now);
    let killed = kill_where(cx, |id, session, sessions| {
        (!filter.skip_me || id != me)
            && filter.id.is_none_or(|wanted| wanted == id.serial as i64)
            && filter.address.is_none_or(|wanted| sessions.remote(session).to_string().as_bytes() == wanted)
            && filter.local.is_none_or(|wanted| {
                sessions.local(session).is_some_and(|local| local.to_string().as_bytes() == wanted)
            })
            && filter.max_age_s.is_none_or(|limit| now.at.since(session.opened).as_secs() as i64 >= limit)
            && filter.wanted.accepts(id, session)
    });
    cx.reply.int(killed.len() as i64);
    condemn(cx, killed);
    Ok(())
}

/// The filters of a `CLIENT KILL`. It kills the clients that pass all of them.
struct Filter<'a> {
    /// `ID`: the client with this id.
    id: Option<i64>,
    /// `ADDR`: the client from this address.
    address: Option<&'a [u8]>,
    /// `LADDR`: clients that connected to this address.
    local: Option<&'a [u8]>,
    /// `MAXAGE`: clients that have been connected for at least this many seconds.
    max_age_s: Option<i64>,
    /// `SKIPME`: true to leave out the caller.
    skip_me: bool,
    /// `TYPE`: clients of this type.
    wanted: Wanted,
}

impl<'a> Filter<'a> {
    /// Reads the filters from the request.
    fn of(cx: &Cx<'a>) -> Result<Filter<'a>, Failure> {
        let mut filter = Filter {
            id: None,
            address: None,
            local: None,
            max_age_s: None,
            skip_me: true,
            wanted: Wanted::All,
        };
        let words = memory::collect(cx.args.from(2))?;
        if !words.len().is_multiple_of(2) {
            return Err(SYNTAX);
        }
        for pair in words.chunks_exact(2) {
            let (word, value) = (pair[0], pair[1]);
            if is(word, "ID") {
                let text = "ERR client-id should be greater than 0";
                filter.id = Some(parse_i64(value).filter(|id| *id > 0).ok_or(Failure::text(text))?);
            } else if is(word, "ADDR") {
                filter.address = Some(value);
            } else if is(word, "LADDR") {
                filter.local = Some(value);
            } else if is(word, "TYPE") {
                filter.wanted = Wanted::of_type(value)?;
            } else if is(word, "USER") {
                if value != b"default" {
                    return Err(Failure::quoting("ERR No such user '", value, "'"));
                }
            } else if is(word, "SKIPME") {
                filter.skip_me = match value {
                    _ if is(value, "YES") => true,
                    _ if is(value, "NO") => false,
                    _ => return Err(SYNTAX),
                };
            } else if is(word, "MAXAGE") {
                filter.max_age_s = Some(parse_i64(value).ok_or(NOT_INTEGER)?);
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(filter)
    }
}

/// The clients that `doomed` selects, the oldest client first.
fn kill_where(cx: &Cx<'_>, doomed: impl Fn(ConnId, &Session, &Sessions) -> bool) -> Vec<ConnId> {
    let all = cx.world.sessions.by_age().into_iter();
    all.filter(|(id, session)| doomed(*id, session, &cx.world.sessions)).map(|(id, _)| id).collect()
}

/// Asks the server to end the connections of these clients. They are marked as leaving at once, so that no
/// client is killed twice. The caller's own connection ends after its reply.
fn condemn(cx: &mut Cx<'_>, killed: Vec<ConnId>) {
    for id in killed {
        if id == cx.me {
            cx.close = Some(Reason::Killed);
        } else {
            cx.world.outbox.asks.push(Ask::Kill(id));
            if let Some(session) = cx.world.sessions.get_mut(id.slot) {
                session.leaving = true;
            }
        }
    }
}
