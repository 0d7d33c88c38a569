//! Free loopback ports. A port is free when it is looked at, not reserved: whoever listens on it
//! has to expect that it was taken meanwhile.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

// Below the ports that operating systems give to outgoing connections. A client that knocks at the
// port of a killed server could otherwise be given that very port, and connect to itself.
const FIRST: u16 = 10_000;
const SPAN: u16 = 22_000;

/// How many ports apart two processes with neighbouring ids begin.
const STRIDE: u32 = 61;

/// A port that nobody listens on now, and that this process has not been given lately.
pub(crate) fn free() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);

    let begin = std::process::id().wrapping_mul(STRIDE) % u32::from(SPAN);
    (0..SPAN).find_map(|_| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = u16::try_from((begin + u32::from(step)) % u32::from(SPAN)).ok()?;
        let port = FIRST + offset;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    })
}
