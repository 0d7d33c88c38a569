//! Waiting for another process: the one place that looks at the time and pauses.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Probes until there is an answer, or `bound` is over.
#[expect(clippy::disallowed_methods, reason = "no event announces what another process did")]
pub(crate) fn until<T>(bound: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if started.elapsed() >= bound {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
