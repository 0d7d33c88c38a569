//! A proxy in front of a real server. It knows where requests begin and end, notes each, and does
//! to the one it waits for what a test asks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_valkey_server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not handed on, and its connection is closed.
    LoseRequest,
    /// It is handed on, and its connection is closed in place of an answer.
    LoseReply,
    /// It is handed on, and its connection is closed in the middle of the answer.
    HalfReply,
    /// It is not handed on, and its connection is reset.
    Reset,
    /// It is not handed on, and from here on nothing of its connection is, either way.
    Swallow,
    /// It is not handed on, but answered with this error.
    Answer(&'static str),
    /// It is handed on after this time.
    Delay(Duration),
}

/// The proxy. It ends with the runtime of its test.
pub(crate) struct Script {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: Mutex<SocketAddr>,
    faults: Mutex<Vec<Planned>>,
    seen: Mutex<HashMap<Vec<u8>, usize>>,
    connections: Mutex<Vec<Arc<Line>>>,
    swallows_new: AtomicBool,
}

struct Planned {
    word: &'static str,
    fault: Fault,
    is_once: bool,
}

/// One connection.
#[derive(Default)]
struct Line {
    words: Mutex<Vec<Vec<u8>>>,
    is_mute: AtomicBool,
    cut: tokio::sync::Notify,
}

impl Script {
    /// A proxy in front of `server`.
    pub(crate) async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = SocketAddr::from(([127, 0, 0, 1], server.port()));
        let state = Arc::new(State {
            upstream: Mutex::new(upstream),
            faults: Mutex::default(),
            seen: Mutex::default(),
            connections: Mutex::default(),
            swallows_new: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, line) = (Arc::clone(&accepting), Arc::<Line>::default());
                line.is_mute.store(state.swallows_new.load(Ordering::SeqCst), Ordering::SeqCst);
                state.connections.lock().unwrap().push(Arc::clone(&line));
                // How a connection ends is what tests look at from its other end.
                tokio::spawn(async move { drop(serve(&state, &line, client).await) });
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("valkey://{}", self.address)
    }

    /// Does this to the next request that has `word` as one of its words.
    pub(crate) fn once(&self, word: &'static str, fault: Fault) {
        self.state.faults.lock().unwrap().push(Planned { word, fault, is_once: true });
    }

    /// Does this to every request that has `word` as one of its words.
    pub(crate) fn always(&self, word: &'static str, fault: Fault) {
        self.state.faults.lock().unwrap().push(Planned { word, fault, is_once: false });
    }

    /// Swallows all of the connections that come from now on.
    pub(crate) fn swallow_new(&self, swallows: bool) {
        self.state.swallows_new.store(swallows, Ordering::SeqCst);
    }

    /// Takes back what was planned.
    pub(crate) fn heal(&self) {
        self.state.faults.lock().unwrap().clear();
        self.swallow_new(false);
    }

    /// Swallows from now on all of the connections on which a request had this word.
    pub(crate) fn swallow(&self, word: &str) {
        self.each_with(word, |line| line.is_mute.store(true, Ordering::SeqCst));
    }

    /// Closes all connections on which a request had this word.
    pub(crate) fn cut(&self, word: &str) {
        self.each_with(word, |line| line.cut.notify_one());
    }

    fn each_with(&self, word: &str, act: impl Fn(&Line)) {
        for line in self.state.connections.lock().unwrap().iter() {
            if line.words.lock().unwrap().iter().any(|seen| seen == word.as_bytes()) {
                act(line);
            }
        }
    }

    /// How many requests had this word.
    pub(crate) fn seen(&self, word: &str) -> usize {
        self.state.seen.lock().unwrap().get(word.as_bytes()).copied().unwrap_or(0)
    }
}

impl State {
    /// Notes a request and answers what happens to it.
    fn take(&self, line: &Line, words: &[Vec<u8>]) -> Option<Fault> {
        line.words.lock().unwrap().extend_from_slice(words);
        for word in words {
            *self.seen.lock().unwrap().entry(word.clone()).or_default() += 1;
        }
        let mut faults = self.faults.lock().unwrap();
        let hit = |planned: &Planned| words.iter().any(|word| word == planned.word.as_bytes());
        let at = faults.iter().position(hit)?;
        Some(if faults[at].is_once { faults.remove(at).fault } else { faults[at].fault })
    }
}

/// What happens to the next answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    Lose,
    Halve,
}

async fn serve(state: &State, line: &Line, mut client: TcpStream) -> std::io::Result<()> {
    let upstream = *state.upstream.lock().unwrap();
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    let mut answers = Answers::Pass;
    loop {
        tokio::select! {
            () = line.cut.notified() => return Ok(()),
            read = client.read_buf(&mut requests) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some((length, words)) = first(&requests) {
                    let fault = state.take(line, &words);
                    let is_mute = line.is_mute.load(Ordering::SeqCst);
                    match fault {
                        Some(Fault::LoseRequest) => return Ok(()),
                        Some(Fault::Reset) => {
                            client.set_zero_linger()?;
                            return Ok(());
                        }
                        Some(Fault::Swallow) => line.is_mute.store(true, Ordering::SeqCst),
                        Some(Fault::Answer(text)) => {
                            client.write_all(format!("-{text}\r\n").as_bytes()).await?;
                        }
                        _ if is_mute => {}
                        fault => {
                            match fault {
                                Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                                Some(Fault::LoseReply) => answers = Answers::Lose,
                                Some(Fault::HalfReply) => answers = Answers::Halve,
                                _ => {}
                            }
                            server.write_all(&requests[..length]).await?;
                        }
                    }
                    requests.drain(..length);
                }
            }
            read = server.read_buf(&mut replies) => {
                if read? == 0 || answers == Answers::Lose {
                    return Ok(());
                }
                if answers == Answers::Halve {
                    return client.write_all(&replies[..replies.len() / 2]).await;
                }
                if !line.is_mute.load(Ordering::SeqCst) {
                    client.write_all(&replies).await?;
                }
                replies.clear();
            }
        }
    }
}

/// The length of the first request in `bytes` and its words, once it is whole: an array of bulk
/// strings, or one line.
fn first(bytes: &[u8]) -> Option<(usize, Vec<Vec<u8>>)> {
    let (head, mut at) = read_line(bytes, 0)?;
    let Some(count) = head.strip_prefix(b"*") else {
        return Some((at, head.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect()));
    };
    let mut words = Vec::new();
    for _ in 0..number(count) {
        let (head, next) = read_line(bytes, at)?;
        let length = number(head.strip_prefix(b"$").expect("a request is of bulk strings"));
        words.push(bytes.get(next..next + length)?.to_vec());
        at = next + length + 2;
    }
    (at <= bytes.len()).then_some((at, words))
}

/// The line that starts at `from`, and where the next one does.
fn read_line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let length = rest.windows(2).position(|two| two == b"\r\n")?;
    Some((&rest[..length], from + length + 2))
}

fn number(digits: &[u8]) -> usize {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).expect("a length")
}

#[test]
fn requests_are_told_apart() {
    let two = b"*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\nHELLO 3\r\n";
    let (length, words) = first(two).unwrap();
    assert_eq!(words, [b"ECHO".to_vec(), b"a\r\nb".to_vec()]);
    assert_eq!(first(&two[length..]).unwrap().1, [b"HELLO".to_vec(), b"3".to_vec()]);
    assert!((1..length).all(|cut| first(&two[..cut]).is_none()));
}
