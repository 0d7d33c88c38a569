//! What no log may show: payloads, tokens and secrets. A run of the suite watches everything that is
//! logged on its way, down to TRACE, by this process and the libraries in it.
//!
//! Payloads of the suite hold a marker, and so does the secret of a harness that configures one;
//! tokens have a shape that nothing else has.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ff_engine::{EngineError, KeyRing, WaitpointSecret};
use memchr::memmem;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Stands in payloads of the suite.
pub const CANARY: &str = "canary-that-no-log-shows";

/// Its beginning, as text, as a list of bytes and in hex.
const MARKS: [&str; 3] = ["canary", "99, 97, 110, 97, 114, 121", "63616e617279"];
/// The secret of [`key_ring`]; 32 bytes.
const SECRET: &[u8; 32] = b"canary-that-no-log-shows-anyhow!";
/// Digits of the code in a token.
const MAC_DIGITS: usize = 40;
/// Leaks that are kept for the report.
const LEAKS_KEPT: usize = 10;

static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LOGGED: AtomicU64 = AtomicU64::new(0);

/// A ring whose secret is watched, for a harness to configure.
///
/// # Errors
/// None: the id and the length are good.
pub fn key_ring() -> Result<KeyRing, EngineError> {
    KeyRing::new("watched", WaitpointSecret::new(*SECRET)?)
}

/// Watches from now on, unless the process has loggers of its own. Answers whether it does.
pub(crate) fn watch() -> bool {
    let tracing = tracing::subscriber::set_global_default(Watch(AtomicU64::new(1))).is_ok();
    let log = log::set_logger(&LogWatch).is_ok();
    if log {
        log::set_max_level(log::LevelFilter::Trace);
    }
    tracing && log
}

/// How much was logged so far, and what it showed.
pub(crate) fn found() -> (u64, Vec<String>) {
    let leaks = LEAKS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (LOGGED.load(Ordering::Relaxed), leaks)
}

fn look(place: &str, text: &str) {
    LOGGED.fetch_add(1, Ordering::Relaxed);
    if let Some(shown) = shows(text) {
        let mut leaks = LEAKS.lock().unwrap_or_else(PoisonError::into_inner);
        if leaks.len() < LEAKS_KEPT {
            leaks.push(format!("{place} shows {shown}"));
        }
    }
}

/// What a text shows that it must not, as text, as a list of bytes or in hex.
fn shows(text: &str) -> Option<&'static str> {
    let text = text.as_bytes();
    if MARKS.iter().any(|mark| memmem::find(text, mark.as_bytes()).is_some()) {
        return Some("a payload or a secret");
    }
    let is_mac = |colon: usize| {
        let rest = text[colon + 1..].iter();
        let digits = rest.take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).count();
        digits == MAC_DIGITS
    };
    memchr::memchr_iter(b':', text).any(is_mac).then_some("a token")
}

/// Collects the fields of an event or a span as text.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("writing to a string never fails");
    }
}

struct Watch(AtomicU64);

impl Subscriber for Watch {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(String::new());
        span.record(&mut text);
        look(span.metadata().name(), &text.0);
        Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        look("a span", &text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        look(event.metadata().target(), &text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct LogWatch;

impl log::Log for LogWatch {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        look(record.target(), &record.args().to_string());
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_show_is_seen_in_every_form() {
        let token = format!("w1.x:k1:{}", "0123456789".repeat(4));
        for text in [CANARY, &token, &format!("{:?}", CANARY.as_bytes()), "x63616e617279x"] {
            assert!(shows(text).is_some(), "{text}");
        }
        for text in ["", "an id 01b8dac5b400000250fa95633da90b7b", "a:b:c", "k:0123"] {
            assert_eq!(shows(text), None, "{text}");
        }
    }
}
