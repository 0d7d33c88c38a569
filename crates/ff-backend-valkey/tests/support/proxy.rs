//! A proxy between a backend and its server that loses chosen requests and replies.
//!
//! It reads both directions frame by frame, so that a fault hits one request or its reply exactly.
//! It changes no byte, and knows neither TLS nor redirects: behind it is one server, not a cluster.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where a request is lost, and the connection with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// On the way to the server, which never sees it.
    BeforeRequest,
    /// On the way back: the server has answered, and nothing of that arrives.
    BeforeReply,
    /// In the middle of the reply's bytes.
    WithinReply,
}

impl Fault {
    pub(crate) const ALL: [Self; 3] = [Self::BeforeRequest, Self::BeforeReply, Self::WithinReply];

    /// Whether the server executes the request.
    pub(crate) fn reaches_the_server(self) -> bool {
        self != Self::BeforeRequest
    }
}

/// The proxy, on a thread of its own, so that it goes on while a test blocks. It ends with its
/// value.
pub(crate) struct Proxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    /// Counts the cuts; the proxy ends when it is dropped.
    cuts: watch::Sender<u64>,
}

#[derive(Default)]
struct Plan {
    armed: Option<Armed>,
    requests: u64,
    fired: u64,
}

struct Armed {
    fault: Fault,
    word: Vec<u8>,
    skipped: u32,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `server`.
    pub(crate) fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let plan = Arc::<Mutex<Plan>>::default();
        let (cuts, cut) = watch::channel(0);
        let shared = Arc::clone(&plan);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // What ends it early, the test sees as a server that cannot be reached.
        thread::spawn(move || runtime.block_on(accept(listener, server, shared, cut)));
        Ok(Self { address, plan, cuts })
    }

    /// Ends every connection; new ones are taken.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What a backend connects to.
    pub(crate) fn url(&self) -> String {
        format!("valkey://{}", self.address)
    }

    /// Loses the next request that has `word` among its words, behind `skipped` others that have it.
    pub(crate) fn lose(&self, fault: Fault, word: &str, skipped: u32) {
        self.plan().armed = Some(Armed { fault, word: word.as_bytes().to_vec(), skipped });
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> u64 {
        self.plan().requests
    }

    /// How many of them were lost.
    pub(crate) fn fired(&self) -> u64 {
        self.plan().fired
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(
    listener: std::net::TcpListener,
    server: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    cut: watch::Receiver<u64>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut ended = cut.clone();
    let mut connections = JoinSet::new();
    loop {
        let client = tokio::select! {
            client = listener.accept() => client,
            changed = ended.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
        };
        let (client, _) = client?;
        let (plan, mut cut) = (Arc::clone(&plan), cut.clone());
        cut.mark_unchanged();
        connections.spawn(async move {
            // Both ends close when this ends, for whatever reason.
            tokio::select! {
                _ended = pass_on(client, server, &plan) => {}
                _cut = cut.changed() => {}
            }
        });
    }
}

/// What becomes of a request.
fn fate(plan: &Mutex<Plan>, request: &[u8]) -> Option<Fault> {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    plan.requests += 1;
    let armed = plan.armed.as_mut()?;
    if !words(request).any(|word| word == armed.word) {
        return None;
    }
    if armed.skipped > 0 {
        armed.skipped -= 1;
        return None;
    }
    plan.fired += 1;
    plan.armed.take().map(|armed| armed.fault)
}

async fn pass_on(mut client: TcpStream, server: SocketAddr, plan: &Mutex<Plan>) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    // Replies that are still to come, and how many of them are in front of the doomed one.
    let mut awaited = 0_u64;
    let mut doomed: Option<(u64, Fault)> = None;
    loop {
        tokio::select! {
            read = client.read_buf(&mut requests) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(request) = take_frame(&mut requests) {
                    match fate(plan, &request) {
                        Some(Fault::BeforeRequest) => return Ok(()),
                        Some(fault) => doomed = Some((awaited, fault)),
                        None => {}
                    }
                    awaited += 1;
                    server.write_all(&request).await?;
                }
            }
            read = server.read_buf(&mut replies) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(reply) = take_frame(&mut replies) {
                    // What is pushed answers no request.
                    if reply[0] == b'>' {
                        client.write_all(&reply).await?;
                        continue;
                    }
                    awaited = awaited.saturating_sub(1);
                    match &mut doomed {
                        Some((0, Fault::WithinReply)) => {
                            return client.write_all(&reply[..reply.len() / 2]).await;
                        }
                        Some((0, _)) => return Ok(()),
                        Some((in_front, _)) => *in_front -= 1,
                        None => {}
                    }
                    client.write_all(&reply).await?;
                }
            }
        }
    }
}

fn take_frame(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = frame(bytes)?;
    Some(bytes.drain(..length).collect())
}

/// How many bytes the first frame of RESP2 or RESP3 has; `None` while it is not complete.
fn frame(bytes: &[u8]) -> Option<usize> {
    let line = 2 + bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    let children = match bytes[0] {
        b'$' | b'=' | b'!' => {
            // A bulk of a negative length is a null, and has no body.
            let body = number().and_then(|length| usize::try_from(length).ok());
            let end = line + body.map_or(0, |body| body + 2);
            return (bytes.len() >= end).then_some(end);
        }
        b'*' | b'~' | b'>' => number()?.max(0),
        b'%' => 2 * number()?.max(0),
        _ => 0,
    };
    (0..children).try_fold(line, |end, _| Some(end + frame(bytes.get(end..)?)?))
}

/// The words of a complete request.
fn words(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = request.split_at(request.iter().position(|byte| *byte == b'\n').unwrap_or(0)).1;
    std::iter::from_fn(move || {
        let at = rest.iter().position(|byte| *byte == b'$')?;
        let word = frame(&rest[at..]).map(|length| &rest[at..at + length])?;
        rest = &rest[at + word.len()..];
        let body = 1 + word.iter().position(|byte| *byte == b'\n')?;
        word.get(body..word.len() - 2)
    })
}
