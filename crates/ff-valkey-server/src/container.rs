//! A server from an official image, through the `docker` command. No cluster, no pausing, no
//! restart: for these, a binary is needed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::printable;
use crate::{Connection, Error, wait};

/// How long a server may take until it answers, once its image is there.
const START: Duration = Duration::from_secs(20);

/// A container with a server, on a loopback port that Docker chose. Dropping it removes it. It
/// outlives a process that is killed.
///
/// CI compiles this and does not run it: what is tested without Docker is that the lack of it is
/// an error.
#[derive(Debug)]
pub struct Container {
    docker: String,
    id: String,
    port: u16,
}

impl Container {
    /// Runs `image`, as `valkey/valkey:9` or `redis:7`, with the server's defaults, and returns once
    /// it answers.
    pub fn start(image: &str) -> Result<Self, Error> {
        Self::start_by("docker", image)
    }

    fn start_by(docker: &str, image: &str) -> Result<Self, Error> {
        let publish = "127.0.0.1::6379";
        let id = run(docker, &["run", "--detach", "--rm", "--publish", publish, image])?;
        // From here on, whatever fails removes it.
        let mut container = Self { docker: docker.to_owned(), id, port: 0 };
        let published = run(docker, &["port", &container.id, "6379/tcp"])?;
        container.port = published
            .lines()
            .find_map(|line| line.parse().ok())
            .map(|address: SocketAddr| address.port())
            .ok_or_else(|| Error::Docker(format!("the port {published:?}")))?;

        let ready = wait::until(START, || {
            let pong = container.connect().and_then(|mut it| it.command(&["PING"]));
            pong.is_ok_and(|pong| pong.as_str() == Some("PONG")).then_some(())
        });
        ready.map(|()| container).ok_or_else(|| Error::TimedOut {
            what: format!("the container of {image} answers"),
            bound: START,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `valkey://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("valkey://127.0.0.1:{}", self.port)
    }

    /// A connection of its own.
    pub fn connect(&self) -> Result<Connection, Error> {
        Connection::open(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), None)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // There is nobody to tell, and Docker lists what is left.
        let _ = run(&self.docker, &["rm", "--force", "--volumes", &self.id]);
    }
}

fn run(docker: &str, words: &[&str]) -> Result<String, Error> {
    let output = Command::new(docker)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Docker(format!("running {docker}: {error}")))?;
    if output.status.success() {
        Ok(printable(output.stdout).trim().to_owned())
    } else {
        Err(Error::Docker(printable(output.stderr).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lack_of_docker_is_an_error() {
        let error = Container::start_by("no-such-docker", "valkey/valkey:9").unwrap_err();

        assert!(error.to_string().starts_with("docker: running no-such-docker: "), "{error}");
    }

    #[test]
    #[ignore = "needs Docker, and downloads an image"]
    fn a_container_answers() {
        let container = Container::start("valkey/valkey:9").unwrap();

        assert!(container.url().ends_with(&container.port().to_string()));
    }
}
