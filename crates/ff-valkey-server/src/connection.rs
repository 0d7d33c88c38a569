//! A connection for administration: one command, one reply, nothing pipelined. It knows neither
//! TLS nor redirects.

use std::io::{BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Error;
use crate::resp::{self, Reply};

/// How long a reply may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    broken: bool,
}

impl Connection {
    /// Connects, and authenticates where the server wants a password.
    pub fn open(address: SocketAddr, password: Option<&str>) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(Error::io(format!("connecting to {address}")))?;
        let mut connection = Self { stream: BufReader::new(stream), broken: false };
        connection.set_timeout(TIMEOUT)?;
        if let Some(password) = password {
            connection.command(&["AUTH", password])?.into_result()?;
        }
        Ok(connection)
    }

    /// Lets a reply take `timeout`, which must not be zero, instead of five seconds.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        let stream = self.stream.get_ref();
        stream
            .set_read_timeout(Some(timeout))
            .and_then(|()| stream.set_write_timeout(Some(timeout)))
            .map_err(Error::io("setting a timeout"))
    }

    /// Sends the command `words` and reads its reply, of which [`Reply::Error`] is one.
    ///
    /// After an error the next reply would belong to this command, so that every later call fails.
    pub fn command(&mut self, words: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
        if self.broken {
            let source = ErrorKind::NotConnected.into();
            return Err(Error::Io { what: "asking after a failure".into(), source });
        }
        self.broken = true;
        self.stream
            .get_mut()
            .write_all(&resp::encode(words))
            .map_err(Error::io("sending a command"))?;
        let reply = resp::read(&mut self.stream)?;
        self.broken = false;
        Ok(reply)
    }
}
