//! The possible results of a parse: a complete request, a part of one, a request beyond a limit, or bytes
//! that cannot be understood.

/// How large a request may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument, in bytes.
    pub bulk_max: usize,
    /// Most arguments of one request, the command's name included.
    pub args_max: usize,
    /// Longest inline request, in bytes, without its newline. Its words are arguments, so `args_max` and
    /// `bulk_max` limit them too.
    pub inline_max: usize,
    /// Longest request, in bytes, with its framing. It must fit into 32 bits, because the offsets of
    /// arguments have 32 bits.
    pub request_max: usize,
}

/// Why the parser refused a request. It has skipped the request to its end, so the connection can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request has this many arguments.
    TooManyArgs(usize),
    /// There was no memory to note where the arguments lie.
    OutOfMemory,
    /// One argument has this many bytes.
    ArgTooLong(usize),
    /// The request as a whole is too long.
    RequestTooLong,
}

/// What is wrong with the framing of a request, so that the parser cannot tell where the next request
/// begins. The connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The line after `*` is no usable number.
    MultibulkLength,
    /// The line after `$` is no usable number.
    BulkLength,
    /// The line after `*` does not end where it must.
    MultibulkLine,
    /// The line after `$` does not end where it must.
    BulkLine,
    /// An argument begins with this byte instead of `$`.
    ExpectedDollar(u8),
    /// There is no CRLF after an argument.
    ExpectedCrlf,
    /// An inline request is longer than its limit.
    InlineLine,
    /// The quotes of an inline request do not balance.
    Quotes,
}

impl Broken {
    /// Redis's text for this mistake. In the error line for the client it follows `-ERR Protocol error: `.
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

/// What [`Parser::parse`](super::Parser::parse) found in the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The input ends inside a request, or before one. The caller calls again with the input that is left
    /// and more bytes after it.
    Incomplete {
        /// Bytes at the front of the input that the caller need not keep.
        consumed: usize,
        /// At least this many more bytes must arrive. It is never 0, and never more than the request has
        /// announced.
        missing: usize,
    },
    /// A request is complete. [`Parser::args`](super::Parser::args) returns its arguments; there may be
    /// none.
    Complete {
        /// Length of the request at the front of the input, in bytes.
        consumed: usize,
    },
    /// A request exceeded a limit, and the parser has skipped it to its end.
    Refused {
        /// Bytes at the front of the input that were the rest of this request.
        consumed: usize,
        /// Which limit it exceeded.
        why: Refusal,
    },
    /// The framing is wrong: nothing that follows can be understood.
    Broken(Broken),
}
