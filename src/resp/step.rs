//! What a look at the input comes to: a whole request, half of one, one beyond a limit, or none at all.

/// What a request may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument, bytes.
    pub bulk_max: usize,
    /// Most arguments.
    pub args_max: usize,
    /// Longest inline request, bytes. Its words are arguments like others.
    pub inline_max: usize,
    /// Longest request, framing included, bytes. Must fit in 32 bits.
    pub request_max: usize,
}

/// A request that was skipped to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It announced this many arguments.
    TooManyArgs(usize),
    /// There was no memory left to note where its arguments lie.
    OutOfMemory,
    /// One of its arguments announced this many bytes.
    ArgTooLong(usize),
    /// All of it together was too long.
    RequestTooLong,
}

/// Framing that cannot be followed any further. The texts are Redis's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// `*` was not followed by a usable number.
    MultibulkLength,
    /// `$` was not followed by a usable number.
    BulkLength,
    /// The line after `*` has no end.
    MultibulkLine,
    /// The line after `$` has no end.
    BulkLine,
    /// Something else stood where `$` had to.
    ExpectedDollar(u8),
    /// An argument was not followed by CRLF.
    ExpectedCrlf,
    /// An inline request has no end.
    InlineLine,
    /// Quotes of an inline request do not balance.
    Quotes,
}

impl Broken {
    /// The text of the `-ERR` line, after `Protocol error: `.
    pub fn text(self) -> String {
        match self {
            Broken::MultibulkLength => "invalid multibulk length".into(),
            Broken::BulkLength => "invalid bulk length".into(),
            Broken::MultibulkLine => "too big mbulk count string".into(),
            Broken::BulkLine => "too big bulk count string".into(),
            Broken::ExpectedDollar(byte) => {
                let shown = match byte {
                    b'\r' | b'\n' => b' ',
                    _ if byte.is_ascii_graphic() || byte == b' ' => byte,
                    _ => b'?',
                };
                format!("expected '$', got '{}'", shown as char)
            }
            Broken::ExpectedCrlf => "expected CRLF after bulk".into(),
            Broken::InlineLine => "too big inline request".into(),
            Broken::Quotes => "unbalanced quotes in request".into(),
        }
    }
}

/// What [`Parser::parse`](super::Parser::parse) found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The input ends inside a request (or before one). Call again with what is left of it and more.
    Incomplete {
        /// Bytes at the front that need not be kept.
        consumed: usize,
        /// At least this many more are needed; at most what the request has announced.
        missing: usize,
    },
    /// A request is complete; [`Parser::args`](super::Parser::args) has its arguments, which may be none.
    Complete {
        /// Its length.
        consumed: usize,
    },
    /// A request beyond a limit has been skipped.
    Refused {
        /// What was left of it at the front.
        consumed: usize,
        /// Which limit.
        why: Refusal,
    },
    /// Nothing after this point can be understood.
    Broken(Broken),
}
