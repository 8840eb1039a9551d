//! `notify-keyspace-events`: which events are published, and on which channels.

/// The classes of events. Each has a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// `g`: events of keys of any kind.
    Generic,
    /// `$`: events of strings.
    String,
    /// `l`: events of lists.
    List,
    /// `s`: events of sets.
    Set,
    /// `h`: events of hashes.
    Hash,
    /// `z`: events of sorted sets.
    Zset,
    /// `x`: a key has expired.
    Expired,
    /// `e`: a key was evicted.
    Evicted,
    /// `t`: events of streams.
    Stream,
    /// `d`: events of modules. There are none.
    Module,
    /// `n`: a key was created.
    New,
    /// `m`: a command looked for a key that is not there.
    Miss,
}

/// The letters of the classes, in the order of [`EventClass`], then those of the two kinds of channels. It is the order in
/// which Redis shows them.
const LETTERS: &[u8] = b"g$lshzxetdnmKE";
/// The letters that `A` stands for.
const ALL: &[u8] = b"g$lshzxetd";

/// A choice of classes and channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// A bit for each of the [`LETTERS`].
    bits: u16,
}

impl Events {
    /// Reads the letters.
    ///
    /// # Errors
    /// Redis's text for a letter that means nothing.
    pub fn parse(text: &str) -> Result<Events, String> {
        let mut events = Events::default();
        for byte in text.bytes() {
            events.bits |= match byte {
                b'A' => bits_of(ALL),
                _ if LETTERS.contains(&byte) => bits_of(&[byte]),
                _ => return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
            };
        }
        Ok(events)
    }

    /// The letters, as Redis shows them.
    pub fn show(self) -> String {
        let all = bits_of(ALL);
        let has_all = self.bits & all == all;
        // Redis 7 does not show `n` beside `A`.
        let hidden: &[u8] = if has_all { b"g$lshzxetdn" } else { b"" };
        let shown = b"g$lshzxetdnKEm".iter().filter(|letter| self.bits & bits_of(&[**letter]) != 0);
        let letters = shown.filter(|letter| !hidden.contains(letter)).map(|letter| char::from(*letter));
        has_all.then_some('A').into_iter().chain(letters).collect()
    }

    /// True if at least one class is published on at least one kind of channel.
    pub fn is_on(self) -> bool {
        let channels = bits_of(b"KE");
        self.bits & channels != 0 && self.bits & !channels != 0
    }

    /// True if events of this class are published.
    pub fn has(self, class: EventClass) -> bool {
        self.bits & 1 << class as u16 != 0
    }

    /// True if the channel of the key gets the event: `__keyspace@<db>__:<key>`.
    pub fn keyspace(self) -> bool {
        self.bits & bits_of(b"K") != 0
    }

    /// True if the channel of the event gets the key: `__keyevent@<db>__:<event>`.
    pub fn keyevent(self) -> bool {
        self.bits & bits_of(b"E") != 0
    }
}

/// The bits of these letters.
fn bits_of(letters: &[u8]) -> u16 {
    LETTERS.iter().enumerate().filter(|(_, letter)| letters.contains(letter)).map(|(at, _)| 1 << at).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_shown_as_redis_shows_them() {
        for (text, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AKEmn", "AKEm"),
            ("g$lshzxetdK", "AK"),
            ("Kx", "xK"),
            ("E$g", "g$E"),
            ("mEn", "nEm"),
        ] {
            assert_eq!(Events::parse(text).map(Events::show).as_deref(), Ok(shown), "{text}");
        }
        assert!(Events::parse("KEq").is_err());
        assert!(!Events::parse("KE").unwrap().is_on() && !Events::parse("A").unwrap().is_on());
        let events = Events::parse("Kmx").unwrap();
        assert!(
            events.has(EventClass::Miss) && events.has(EventClass::Expired) && !events.has(EventClass::New)
        );
        assert!(events.is_on() && events.keyspace() && !events.keyevent());
    }
}
