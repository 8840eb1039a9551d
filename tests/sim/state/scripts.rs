//! Scripts: what their replies may be, and what stands when they have ended.
//!
//! A script that was stopped, or whose command has panicked, has changed nothing. One that has failed by itself keeps what it
//! has done until then.

use super::judge::{Answer, expect, expect_line};
use super::{Event, State, When};
use crate::model::{OOM, Op};
use crate::queues::QueueOp;
use crate::scripts::{Ending, Script, WIDE};
use crate::sets;

/// How the reply of a script that was stopped begins, and what that is called in the count of what happened.
const STOPS: [(&str, &str); 4] = [
    ("-ERR the script ran for ", "script stopped because of its time"),
    ("-ERR the script needed too much memory and was stopped after ", "script stopped because of its memory"),
    ("-ERR Script killed by user with SCRIPT KILL after ", "script killed by another client"),
    (
        "-ERR the server is shutting down; the script was stopped after ",
        "script stopped by the end of the server",
    ),
];
const NOTHING: &str = "; nothing was changed\r\n";
/// The server does not know the script, or the function.
const UNKNOWN: [&str; 2] =
    ["-NOSCRIPT No matching script. Please use EVAL.\r\n", "-ERR Function not found\r\n"];
const BUSY: &str = "Redis is busy running a script. You can only call ";
const NOT_BUSY: &str = "-NOTBUSY No scripts in execution right now.\r\n";

impl State {
    /// Compares what was received with what may be the reply of a script.
    pub(super) fn run_script(
        &mut self,
        step: usize,
        script: &Script,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        if input.first() == Some(&b'-') {
            return match expect_line(input, "-") {
                Answer::Whole(len) => {
                    let line = String::from_utf8_lossy(&input[..len]);
                    match self.end_script(script, &line, when, events) {
                        Ok(()) => Answer::Whole(len),
                        Err(expected) => Answer::Wrong(expected),
                    }
                }
                other => other,
            };
        }
        let before = self.executing;
        // Within a script time stands still.
        self.executing = before.or(Some(step));
        self.in_script = true;
        let answer = self.results(step, script, input, when, events);
        (self.executing, self.in_script) = (before, false);
        answer
    }

    /// The replies of the calls of a script that has returned them.
    fn results(
        &mut self,
        step: usize,
        script: &Script,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let wide = script.ending == Ending::ReturnsMuch;
        if !wide && script.ending != Ending::Returns {
            return Answer::Wrong("(an error: the script does not return)".to_owned());
        }
        let mut len = match expect(input, &format!("*{}\r\n", script.calls.len() + usize::from(wide))) {
            Answer::Whole(len) => len,
            other => return other,
        };
        for call in &script.calls {
            let rest = &input[len..];
            if !call.protected && rest.first() == Some(&b'-') {
                return Answer::Wrong(format!("(an error of the script: {:?} has failed)", call.op));
            }
            let mut told = Vec::new();
            match self.element(step, &call.op, rest, when, &mut told) {
                Answer::Whole(more) => len += more,
                other => return other,
            }
            events.append(&mut told);
        }
        if wide {
            match expect(&input[len..], &WIDE) {
                Answer::Whole(more) => len += more,
                other => return other,
            }
        }
        let how = "script that returned";
        events.push(Event::Script { how, stands: script.calls.len(), told: true });
        Answer::Whole(len)
    }

    /// A script has ended with an error. Whether that may be; if not, what should have come.
    fn end_script(
        &mut self,
        script: &Script,
        line: &str,
        when: &When,
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        let mut undone = |how| events.push(Event::Script { how, stands: 0, told: true });
        if script.is_named && UNKNOWN.contains(&line) {
            undone("script that the server does not know");
            return Ok(());
        }
        if let Some((nth, (start, how))) = STOPS.iter().enumerate().find(|(_, stop)| line.starts_with(stop.0))
        {
            let ms: u64 = line[start.len()..].split(' ').next().and_then(|ms| ms.parse().ok()).unwrap_or(0);
            let may_be = match nth {
                0 => when.script_limit_ms > 0 && ms >= when.script_limit_ms,
                1 => script.ending == Ending::WantsAllMemory || when.scarce,
                2 => when.busy,
                _ => when.quits,
            };
            undone(how);
            let right = may_be && line.ends_with(NOTHING);
            return if right { Ok(()) } else { Err("(another reason to stop)".to_owned()) };
        }
        let (wanted, stands) = self.fail(script, line, when, events);
        if !line.starts_with(&wanted) || wanted.is_empty() {
            return Err(format!("{wanted}(where it has failed)"));
        }
        events.push(Event::Script { how: "script that failed and keeps its changes", stands, told: false });
        Ok(())
    }

    /// Does what a script does that fails by itself. Returns how its reply begins, and how many of its calls have ended well
    /// or were protected. `line` is the reply, which may tell which protected calls were refused for lack of memory.
    fn fail(&mut self, script: &Script, line: &str, when: &When, events: &mut Vec<Event>) -> (String, usize) {
        const RAISED: &str = "-RAISED ";
        let told: Vec<bool> = match line.strip_prefix(RAISED) {
            Some(rest) => rest.bytes().take_while(u8::is_ascii_digit).map(|digit| digit == b'1').collect(),
            None => Vec::new(),
        };
        let (mut failed, mut protected) = (String::new(), 0);
        for (nth, call) in script.calls.iter().enumerate() {
            let refused = when.scarce && call.protected && told.get(protected) == Some(&true);
            protected += usize::from(call.protected);
            let reply = match &call.op {
                op if op.own_keys().is_some() && refused => {
                    let reply = self.clone().do_unseen(op);
                    if reply.starts_with('-') { reply } else { OOM.to_owned() }
                }
                op if op.own_keys().is_some() => self.do_unseen(op),
                _ if refused => OOM.to_owned(),
                Op::Queue(QueueOp::Put(_, elements)) => {
                    events.push(Event::Put(elements.clone()));
                    String::new()
                }
                _ => String::new(),
            };
            match reply.strip_suffix("\r\n").filter(|reply| reply.starts_with('-')) {
                Some(error) if !call.protected => return (format!("{error} script: "), nth),
                error if call.protected => failed.push(if error.is_some() { '1' } else { '0' }),
                _ => {}
            }
        }
        let raises = script.ending == Ending::Raises;
        (if raises { format!("{RAISED}{failed} script: ") } else { String::new() }, script.calls.len())
    }

    /// Does it to the client's own keys. Returns the reply only if that is an error.
    fn do_unseen(&mut self, op: &Op) -> String {
        let shows = sets::shown(&self.keys, op).is_some();
        let reply = self.do_to_own(op);
        if shows { String::new() } else { reply }
    }

    /// The states in which a script may have left the client's keys, whose reply is not known.
    pub(super) fn after_script(&self, script: &Script, scarce: bool) -> Vec<State> {
        let mut possible = vec![self.clone()];
        let mut going_on = vec![self.clone()];
        for call in script.calls.iter().filter(|call| call.op.own_keys().is_some()) {
            let mut next = Vec::new();
            for state in going_on {
                let mut after = state.clone();
                let fails = after.do_unseen(&call.op).starts_with('-');
                if scarce && !fails {
                    next.push(state.clone());
                }
                // Its error ends the script, and what it has done stands.
                if fails && !call.protected { possible.push(after) } else { next.push(after) }
            }
            going_on = next;
        }
        possible.append(&mut going_on);
        possible
    }

    /// The reply to `SCRIPT KILL`.
    pub(super) fn kill_script(input: &[u8], events: &mut Vec<Event>) -> Answer {
        match expect(input, NOT_BUSY) {
            Answer::Wrong(_) => {
                events.push(Event::KilledScript);
                expect(input, "+OK\r\n")
            }
            answer => answer,
        }
    }

    /// The reply to a request of this meaning while a script of another client runs long. It is refused.
    pub(super) fn told_busy(&mut self, op: &Op, input: &[u8]) -> Answer {
        let start =
            if *op == Op::Exec { "-EXECABORT Transaction discarded because of: BUSY " } else { "-BUSY " };
        let answer = expect_line(input, &format!("{start}{BUSY}"));
        if let Answer::Whole(_) = answer {
            self.refuse_while_busy(op);
        }
        answer
    }
}

/// A reply as it is when a script has passed it on: there is one null only.
pub(super) fn through_lua(reply: &str) -> String {
    let (mut passed, mut rest) = (String::new(), reply);
    while let Some((line, after)) = rest.split_once("\r\n") {
        passed += if line == "*-1" { "$-1" } else { line };
        passed += "\r\n";
        rest = after;
        if let Some(len) = line.strip_prefix('$').and_then(|len| len.parse::<usize>().ok()) {
            let end = rest.char_indices().nth(len + 2).map_or(rest.len(), |(at, _)| at);
            passed += &rest[..end];
            rest = &rest[end..];
        }
    }
    passed
}
