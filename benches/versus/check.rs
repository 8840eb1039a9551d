//! Checks that the twins are twins: the daemon and every twin get the same input of many kinds, and their
//! replies must be the same, byte for byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a read or a write may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// The writes of one connection. How the input is cut into writes must not change the replies.
type Conversation = Vec<Vec<u8>>;

/// All bytes that a server sends in each conversation, until it closes the connection.
///
/// # Errors
/// If a connection fails.
pub fn transcript(address: SocketAddr) -> io::Result<Vec<Vec<u8>>> {
    conversations().into_iter().map(|said| converse(address, &said)).collect()
}

/// Holds one conversation. Returns all bytes that the server sends.
fn converse(address: SocketAddr, said: &Conversation) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut reader = stream.try_clone()?;
    let heard = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all)
    });
    for part in said {
        // A server that has said goodbye may refuse the rest.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    heard.join().map_err(|_| io::Error::other("the reader panicked"))?
}

/// What is said to the daemon and to every twin.
fn conversations() -> Vec<Conversation> {
    let text = |lines: &str| lines.replace('\n', "\r\n").into_bytes();
    let request = |words: &[&[u8]]| {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend(b"\r\n");
        }
        bytes
    };
    let large = vec![b'v'; 1 << 20];
    let every_byte = |bytes: Vec<u8>| bytes.into_iter().map(|byte| vec![byte]).collect();
    vec![
        vec![text("PING\nCLIENT ID\nECHO hello\nSET k v\nGET k\nGET none\nINCR n\nINCR k\nDEL k n\n")],
        every_byte(request(&[b"SET", b"split", b"in\r\npieces"])),
        vec![request(&[b"GET", b"split"]), request(&[b"MGET", b"split", b"none", b"split"])],
        // These are more than one read, one buffer, one write or one turn takes.
        vec![request(&[b"SET", b"large", &large])],
        vec![request(&[b"GET", b"large"]).repeat(20)],
        vec![request(&[b"INCR", b"count"]).repeat(5_000)],
        vec![request(&[b"HELLO", b"3"])[..20].to_vec(), request(&[b"HELLO", b"3"])[20..].to_vec()],
        vec![text("EXPIRE split 100\nTTL split\nTYPE split\nSTRLEN split\nAPPEND split !\nDBSIZE\n")],
        vec![text("NOSUCH command\nGET\nCLIENT NOSUCH\nDEBUG PANIC\nCONFIG GET maxclients\n")],
        vec![text("CLIENT REPLY SKIP\nPING\nPING again\nCLIENT SETNAME me\nCLIENT GETNAME\n")],
        vec![text("PING\nQUIT\nPING\n")],
        vec![b"*1\r\n$4\r\nPING\r\n*1\r\n!broken\r\nPING\r\n".to_vec(), large.clone()],
        vec![b"*2\r\n$3\r\nGET\r\n$99999999999\r\n".to_vec()],
        vec![b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100\r\na request that nobody".to_vec()],
        vec![text("EXISTS half\nFLUSHALL\nDBSIZE\n")],
        vec![],
    ]
}
