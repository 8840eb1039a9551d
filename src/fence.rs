//! The panic fence: one client's panic ends that client and nobody else.
//!
//! It stands around one connection's service turn, and around the requests that run again after they have waited. It
//! cannot catch everything: an allocation that aborts, a stack overflow and a panic while unwinding end the process. A panic of the reactor ends the process
//! too, because all clients share the reactor.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// What is known about a panic that was caught.
#[derive(Debug)]
pub struct Wreck {
    /// Source file and line.
    pub place: String,
    /// The message, if it is a constant of the program. A message that was put together at run time may quote user
    /// data, so it is withheld.
    pub message: &'static str,
    /// The stack. To resolve its names takes milliseconds, so that happens only when the stack is shown.
    pub backtrace: Backtrace,
}

thread_local! {
    static FENCED: Cell<bool> = const { Cell::new(false) };
    static WRECK: RefCell<Option<Wreck>> = const { RefCell::new(None) };
}

/// Runs `turn` and returns its result. If it panics, returns what is known about the panic.
///
/// A panic may leave the values that `turn` borrows half-changed. The caller repairs them from the turn's progress
/// marks.
///
/// # Errors
/// The [`Wreck`], if `turn` panicked.
pub fn run<T>(turn: impl FnOnce() -> T) -> Result<T, Wreck> {
    install_hook();
    let before = FENCED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(turn));
    FENCED.set(before);
    outcome.map_err(|_: Box<dyn Any + Send>| {
        WRECK.take().unwrap_or_else(|| Wreck {
            place: "unknown".to_owned(),
            message: "unknown",
            backtrace: Backtrace::disabled(),
        })
    })
}

/// Installs our panic hook, once. Inside the fence the hook notes the panic. Outside the fence it calls the hook that
/// was there before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(
            move |info| {
                if FENCED.get() { WRECK.set(Some(note(info))) } else { outside(info) }
            },
        ));
    });
}

fn note(info: &PanicHookInfo<'_>) -> Wreck {
    Wreck {
        place: info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string),
        message: info
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("(withheld: it may quote user data)"),
        backtrace: Backtrace::force_capture(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_described_without_user_data() {
        let secret = "secret".to_owned();
        let wreck = run(|| panic!("value was {secret}")).map(|(): ()| ()).unwrap_err();
        assert!(wreck.place.contains("fence.rs"), "{}", wreck.place);
        assert!(!wreck.message.contains("secret"));
        let wreck = run(|| panic!("plain words")).map(|(): ()| ()).unwrap_err();
        assert_eq!(wreck.message, "plain words");
    }

    #[test]
    fn what_does_not_panic_comes_through() {
        assert_eq!(run(|| 7).unwrap(), 7);
    }
}
