//! Tells a run line by line. No line is made while there is no listener.

/// Hears each line.
pub type Listener = Box<dyn FnMut(&str)>;

/// What happens in a run.
#[derive(Default)]
pub struct Story {
    listener: Option<Listener>,
    /// The line that opens the tick, until something happens in it.
    tick: Option<String>,
}

impl Story {
    pub fn begin(&mut self, listener: Option<Listener>, introduction: Vec<String>) {
        self.listener = listener;
        for line in introduction {
            self.tell(|| line);
        }
    }

    /// A tick begins; it gets a line if something happens in it.
    pub fn open(&mut self, tick: usize, ms: u64) {
        if self.listener.is_some() {
            self.tick = Some(format!("tick {tick}, {ms} ms"));
        }
    }

    /// Tells a line, if there is a listener.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let Some(listener) = &mut self.listener else { return };
        if let Some(tick) = self.tick.take() {
            listener(&tick);
        }
        listener(&line());
    }
}

/// Bytes as the story shows them: the first few.
pub fn quoted(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    format!("{} bytes \"{}\"{more}", bytes.len(), bytes[..bytes.len().min(SHOWN)].escape_ascii())
}
