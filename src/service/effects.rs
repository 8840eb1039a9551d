//! Passes on the effects that the store has noted, after each command and after each sweep, never within
//! a command. Only events come earlier, if a script publishes something after them; they leave with its messages.

use super::cx::Failure;
use super::post::Post;
use super::world::World;
use crate::base::{ConnId, fault};
use crate::config::EventClass;
use crate::store::{Class, Effect, Effects, Event, Listener, What};

impl World {
    /// Passes on the effects that the store has noted: to clients that watch a changed key or keep a copy of it, and
    /// to those that have subscribed to events. `by` is the client whose command had the effects.
    #[inline]
    pub fn tell_effects(&mut self, by: Option<ConnId>) {
        if self.store.has_effects() {
            // The command is complete, and its client must hear that. So no test makes this panic half-way.
            fault::aside(|| self.pass_on(by));
        }
    }

    #[cold]
    fn pass_on(&mut self, by: Option<ConnId>) {
        let effects = self.store.take_effects();
        for id in self.watches.take_touched(&effects, &mut self.store, self.now.unix_ms) {
            if let Some(session) = self.sessions.get_mut(id.slot) {
                session.extras().watching.touched = true;
            }
        }
        self.note_ready(&effects);
        if self.tracking.is_on() {
            self.invalidate(&effects, by);
        }
        if self.store.wants_events() {
            self.stats.events_lost += u64::from(effects.lost);
            self.notify(&effects, by);
        }
        self.store.put_back_effects(effects);
    }

    /// A script of `by` is going to publish something. So the events of what it has done before come first.
    pub(super) fn tell_events_before_message(&mut self, by: ConnId) {
        if self.store.wants_events() && self.store.has_effects() {
            // As above: if it ended half-way, nobody would hear of the effects.
            fault::aside(|| {
                let effects = self.store.take_effects();
                self.notify(&effects, Some(by));
                self.store.keep_told_effects(effects);
            });
        }
    }

    /// The settings have changed, or the server starts: tells the store whether events are wanted.
    pub(super) fn heed_events(&mut self) {
        self.store.listen(Listener::Events, self.config.notify_keyspace_events.is_on());
    }

    /// Publishes the events among the effects, except for those that were told before.
    fn notify(&mut self, effects: &Effects, by: Option<ConnId>) {
        let wanted = self.config.notify_keyspace_events;
        for Effect { db, key, what } in effects.untold() {
            let Some((_, name)) = named(what).filter(|(class, _)| wanted.has(*class)) else { continue };
            let mut told = Ok(());
            if wanted.keyspace() {
                let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
                told = told.and(self.publish(&channel, name.as_bytes(), by));
            }
            if wanted.keyevent() {
                let channel = format!("__keyevent@{db}__:{name}");
                told = told.and(self.publish(channel.as_bytes(), key, by));
            }
            self.stats.events_lost += u64::from(told.is_err());
        }
    }

    /// Sends `message` to the subscribers of `channel`.
    fn publish(&mut self, channel: &[u8], message: &[u8], by: Option<ConnId>) -> Result<(), Failure> {
        let mut post = Post::of(message, by);
        post.add_channel(self, channel)?;
        post.reserve(self)?;
        post.send(self);
        Ok(())
    }
}

/// The class and the name of the event that Redis has for an effect; `None` if it has none.
fn named(what: What) -> Option<(EventClass, &'static str)> {
    match what {
        What::Created => Some((EventClass::New, "new")),
        What::Expired => Some((EventClass::Expired, "expired")),
        What::Evicted => Some((EventClass::Evicted, "evicted")),
        What::Told(Event { class, name }) => Some((class_of(class), name)),
        // The event of a change comes from the command that has made it.
        What::Set | What::Removed | What::Flushed | What::Swapped | What::Roused => None,
    }
}

fn class_of(class: Class) -> EventClass {
    match class {
        Class::Generic => EventClass::Generic,
        Class::String => EventClass::String,
        Class::Hash => EventClass::Hash,
        Class::Set => EventClass::Set,
        Class::List => EventClass::List,
        Class::Zset => EventClass::Zset,
        Class::Stream => EventClass::Stream,
        Class::Miss => EventClass::Miss,
    }
}
