//! Messages: what a client is told about its subscriptions, and about what it publishes.

use super::judge::{Answer, expect, judge};
use super::{Event, State};
use crate::frames::Frame;
use crate::model::{Op, bulk, int};

const NOT_HERE: &str = "-ERR Can't execute 'publish': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
                        are allowed in this context\r\n";

impl State {
    /// Runs a command about messages.
    pub(super) fn speak(&mut self, op: &Op, input: &[u8], events: &mut Vec<Event>) -> Answer {
        let listens = !self.channels.is_empty() || !self.patterns.is_empty();
        let mark = if self.resp3 { '>' } else { '*' };
        match op {
            // The client's HELLO was refused for lack of memory, so the client speaks RESP2.
            Op::Publish(..) if listens && !self.resp3 => expect(input, NOT_HERE),
            Op::Publish(channel, text) => judge(input, "how many have heard it", |frame| match frame {
                Frame::Int(count @ 0..) => {
                    let count = *count;
                    let (channel, text) = (channel.clone(), text.clone());
                    events.push(Event::Published { channel, text, count });
                    true
                }
                _ => false,
            }),
            Op::Hello => {
                self.resp3 = true;
                judge(input, "a list of what the server is", |frame| frame.items().len() == 14)
            }
            Op::Ping if listens && !self.resp3 => expect(input, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            Op::Ping => expect(input, "+PONG\r\n"),
            Op::Subscribe(by_pattern, names) | Op::Unsubscribe(by_pattern, names) => {
                self.generation += 1;
                let on = matches!(op, Op::Subscribe(..));
                let mine = if *by_pattern { &self.patterns } else { &self.channels };
                let names = if names.is_empty() { mine.iter().cloned().collect() } else { names.clone() };
                let word =
                    format!("{}{}subscribe", if *by_pattern { "p" } else { "" }, if on { "" } else { "un" });
                let mut reply = String::new();
                for name in &names {
                    let mine = if *by_pattern { &mut self.patterns } else { &mut self.channels };
                    let _ = if on { mine.insert(name.clone()) } else { mine.remove(name) };
                    let count = int(self.channels.len() + self.patterns.len());
                    reply += &format!("{mark}3\r\n{}{}{count}", bulk(&word), bulk(name));
                }
                if names.is_empty() {
                    let (null, count) = (
                        if self.resp3 { "_\r\n" } else { "$-1\r\n" },
                        self.channels.len() + self.patterns.len(),
                    );
                    reply = format!("{mark}3\r\n{}{null}{}", bulk(&word), int(count));
                }
                expect(input, &reply)
            }
            _ => unreachable!(),
        }
    }
}
