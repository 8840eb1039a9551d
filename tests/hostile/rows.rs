//! Situations that consist of bytes only: what a client sends, what must come back byte for byte, and whether the
//! connection lives.

use crate::report::{Report, Seen, shown};
use crate::watched::Watched;

/// What becomes of the connection after the expected bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is served on.
    Lives,
    /// The server closes it.
    Ends,
    /// The server waits for more; when the client closes its side instead, nothing more is said.
    Waits,
}

pub struct Row {
    name: String,
    sends: Vec<u8>,
    hears: Vec<u8>,
    then: Then,
}

pub fn row(name: impl Into<String>, sends: impl Into<Vec<u8>>, hears: impl Into<Vec<u8>>, then: Then) -> Row {
    Row { name: name.into(), sends: sends.into(), hears: hears.into(), then }
}

/// Runs the rows one after the other against one daemon, which must be as before after the last.
pub fn run(report: &mut Report, group: &str, options: &[&str], rows: &[Row]) {
    println!("\n{group}");
    let daemon = Watched::start(options);
    for row in rows {
        let then = format!("{:?}", row.then).to_lowercase();
        let expects = format!("{}, then it {then}", shown(&row.hears));
        report.judge(&row.name, &expects, || play(&daemon, row));
    }
    let name = format!("after all of \"{group}\"");
    report.judge(&name, "no client, descriptor or memory left", || daemon.is_unharmed(16).into());
}

fn play(daemon: &Watched, row: &Row) -> Seen {
    let mut wire = daemon.connect();
    wire.send(&row.sends);
    let expected = match row.then {
        Then::Ends => row.hears.clone(),
        Then::Waits => {
            // The server has heard the row by the time it answers another client.
            daemon.serves();
            wire.half_close();
            row.hears.clone()
        }
        Then::Lives => {
            wire.send("PING\r\n");
            wire.half_close();
            [&row.hears, &b"+PONG\r\n"[..]].concat()
        }
    };
    let heard = wire.rest();
    assert!(heard == expected, "{} instead of {}", shown(&heard), shown(&expected));
    daemon.serves();
    format!("{}, then the end", shown(&heard)).into()
}
