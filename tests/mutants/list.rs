//! The deliberate mistakes: somebody writes `wrong` where `right` stands.

/// One mistake.
pub struct Mutant {
    pub name: &'static str,
    pub file: &'static str,
    pub right: &'static str,
    pub wrong: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, right: &'static str, wrong: &'static str) -> Mutant {
    Mutant { name, file, right, wrong }
}

pub const MUTANTS: &[Mutant] = &[
    mutant(
        "the end of the input is taken for an empty socket",
        "src/reactor/transfer.rs",
        "match attempt(|| conn.socket.read(&mut room[..asked])) {\n            Did::Bytes(0) => conn.ending = Some(Reason::PeerClosed),",
        "match attempt(|| conn.socket.read(&mut room[..asked])) {\n            Did::Bytes(0) => conn.can_read = false,",
    ),
    mutant(
        "a short read means empty, whatever the edge said",
        "src/reactor/transfer.rs",
        "N::SHORT_READ_MEANS_EMPTY && !conn.hides_more",
        "N::SHORT_READ_MEANS_EMPTY && conn.bytes_in > 0",
    ),
    mutant(
        "an interrupted read is taken for an empty socket",
        "src/reactor/transfer.rs",
        "ErrorKind::Interrupted => {}",
        "ErrorKind::Interrupted => return Did::Blocked,",
    ),
    mutant(
        "no turn after a spent budget",
        "src/server/turn.rs",
        "stats.yields += 1;\n            Next::Turn",
        "stats.yields += 1;\n            Next::Receive { begun: false, is_new: progressed, missing: 0 }",
    ),
    mutant(
        "no turn after a pause",
        "src/server/turn.rs",
        "stats.pauses += 1;\n            Next::Turn",
        "stats.pauses += 1;\n            Next::Receive { begun: false, is_new: progressed, missing: 0 }",
    ),
    mutant(
        "nothing is owed after a flush",
        "src/reactor/transfer.rs",
        "        ledger.balance(slot, conn);\n        taken\n",
        "        ledger.account(conn);\n        taken\n",
    ),
    mutant(
        "room to write is not remembered",
        "src/reactor/mod.rs",
        "conn.can_write |= writable;",
        "let _ = writable;",
    ),
    mutant(
        "a slot is freed while it is still queued for a flush",
        "src/reactor/ending.rs",
        "self.ledger.dirty.retain(stays);",
        "let _ = stays;",
    ),
    mutant(
        "a slot is freed while its deadline still runs",
        "src/reactor/ending.rs",
        "            &mut ledger.stalled,\n",
        "",
    ),
    mutant(
        "the account of a freed connection's buffers is kept",
        "src/reactor/ledger.rs",
        "        self.pool.take_back(&mut conn.output);\n        self.account(conn);\n",
        "        self.pool.take_back(&mut conn.output);\n",
    ),
    mutant(
        "one client more than maxclients",
        "src/reactor/admission.rs",
        "self.ledger.serving < config.maxclients as usize",
        "self.ledger.serving <= config.maxclients as usize",
    ),
    mutant(
        "the cap forgets those that left through an error",
        "src/reactor/ledger.rs",
        "        self.serving -= usize::from(std::mem::take(&mut conn.counted));\n        conn.phase = Phase::Doomed(reason);",
        "        conn.phase = Phase::Doomed(reason);",
    ),
    mutant(
        "newcomers past a tick's budget are forgotten",
        "src/reactor/admission.rs",
        "                    AcceptError::Next => {}",
        "                    AcceptError::Next => self.admission.can_accept[listener as usize] = false,",
    ),
    mutant(
        "no retry after descriptors ran out",
        "src/reactor/admission.rs",
        "let retry_at = now.plus_ms(self.bounds.accept_retry_ms);",
        "let retry_at = now.plus_ms(u64::MAX / 2 + self.bounds.accept_retry_ms);",
    ),
    mutant(
        "a sweep forgets the newest",
        "src/reactor/recency.rs",
        "        let (slot, _) = self.oldest()?;\n        (self",
        "        let (slot, _) = self.oldest()?;\n        if self.head == self.tail {\n            return None;\n        }\n        (self",
    ),
    mutant(
        "any byte renews the clock of a half request",
        "src/reactor/ledger.rs",
        "} else if is_new || !self.request.contains(slot) {",
        "} else if is_new || self.idle.contains(slot) {",
    ),
    mutant(
        "a half header is not on the clock",
        "src/service/turn.rs",
        "let begun = parser.is_mid_request() || rest.len() > consumed;",
        "let begun = parser.is_mid_request();",
    ),
    mutant("the fence keeps the half reply", "src/server/turn.rs", "output.truncate(progress.output);", ""),
    mutant(
        "a command commits and its reply may still panic",
        "src/service/commands/strings.rs",
        "    cx.reply.assure();\n    cx.world.store.commit(entry, Expiry::Never);\n    cx.reply.int(1);",
        "    cx.world.store.commit(entry, Expiry::Never);\n    cx.reply.int(1);",
    ),
    mutant(
        "a drain drops queued output",
        "src/reactor/ledger.rs",
        "        conn.input.clear();\n",
        "        conn.input.clear();\n        if reason == Reason::Drained {\n            conn.output.clear();\n        }\n",
    ),
    mutant(
        "the last read of a drain is not answered",
        "src/reactor/transfer.rs",
        "            conn.ending.get_or_insert(Reason::Drained);\n",
        "            ledger.finish(slot, conn, Reason::Drained, now);\n",
    ),
    mutant(
        "what comes after the last read of a drain is answered as well",
        "src/reactor/ending.rs",
        "conn.read_left = u32::try_from(waiting).unwrap_or(u32::MAX - 1);",
        "conn.read_left = u32::MAX - 1 - u32::from(waiting == 0);",
    ),
    mutant(
        "a drain whose last client was just released goes on",
        "src/server/drain.rs",
        "            // Perhaps that was everybody.\n            self.stage = self.next_stage();\n",
        "",
    ),
    mutant(
        "no lingering: a close with unread input eats the last reply",
        "src/reactor/ledger.rs",
        "        conn.phase = Phase::Lingering(reason);\n",
        "        conn.phase = Phase::Lingering(reason);\n        if reason != Reason::AtCapacity {\n            return self.doom(slot, conn, reason);\n        }\n",
    ),
    mutant(
        "a paused client that finishes is not drained of its input",
        "src/reactor/ending.rs",
        "        self.ledger.finish(slot, conn, reason, now);\n        self.ledger.balance(slot, conn);\n",
        "        self.ledger.finish(slot, conn, reason, now);\n",
    ),
    mutant(
        "a skipped request leaves its last two bytes in the stream",
        "src/resp/request.rs",
        "                self.at = At::Payload { left, len: 0 };\n",
        "                self.at = At::Payload { left, len: 2 };\n",
    ),
    mutant(
        "a buffer is taken back with a byte in it",
        "src/reactor/pool.rs",
        "        if buf.is_empty() {\n            self.take_back(buf);",
        "        if buf.len() < 2 {\n            self.take_back(buf);",
    ),
    mutant(
        "a client is silent and is told of as one that left",
        "src/reactor/ending.rs",
        "self.finish(slot, Reason::Idle, now);",
        "self.finish(slot, Reason::PeerClosed, now);",
    ),
    mutant(
        "those that were left over wait until nobody comes",
        "src/reactor/mod.rs",
        "        turns.append(&mut self.ledger.resume);\n",
        "        if turns.is_empty() {\n            turns.append(&mut self.ledger.resume);\n        }\n",
    ),
    mutant(
        "a connection that ends without a word waits until it is taken",
        "src/reactor/conn.rs",
        "Phase::Finishing(_) => self.can_write || self.output.is_empty(),",
        "Phase::Finishing(_) => self.can_write && !self.output.is_empty(),",
    ),
    mutant(
        "a refusal is never flushed",
        "src/reactor/admission.rs",
        "            self.ledger.balance(id.slot, conn);\n",
        "",
    ),
    mutant(
        "a turn without memory leaves its half request to the next client",
        "src/service/turn.rs",
        "if !matches!(step, Step::Incomplete { .. }) {",
        "if !matches!(step, Step::Incomplete { .. }) || parser.is_mid_request() {",
    ),
    mutant(
        "a reply has no room that is certain",
        "src/service/turn.rs",
        "turn.output.reserve(REPLY_HEADROOM_BYTES)",
        "turn.output.reserve(REPLY_HEADROOM_BYTES / 1024)",
    ),
    mutant(
        "the last read of a drain reads nothing",
        "src/reactor/ending.rs",
        "conn.read_left = u32::try_from(waiting).unwrap_or(u32::MAX - 1);",
        "conn.read_left = u32::from(waiting > usize::MAX / 2);",
    ),
    mutant(
        "what was read ahead outlives its turn",
        "src/service/turn.rs",
        "        let mut settings = self.world.settings_changed;\n        batch.clear();\n",
        "        let mut settings = self.world.settings_changed;\n",
    ),
    mutant(
        "what was read ahead outlives a change of its limits",
        "src/service/turn.rs",
        "                settings = self.world.settings_changed;\n                batch.clear();\n",
        "                settings = self.world.settings_changed;\n",
    ),
];
