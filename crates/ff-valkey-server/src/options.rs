//! How a server is to run: the binary and the directives of its configuration.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::{Binary, Error, Flavor};

/// How to run a server. The default is the first binary found, without persistence.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Options {
    binary: Option<Binary>,
    config: Vec<(String, String)>,
    tls: Option<Tls>,
    under: Vec<String>,
}

#[derive(Clone, Debug)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
}

/// The ports of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    pub(crate) bus: Option<u16>,
    pub(crate) tls: Option<u16>,
}

impl Options {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `binary` instead of what [`Binary::find`] finds for [`Flavor::Any`].
    pub fn binary(mut self, binary: Binary) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Adds a line to the configuration, after all others: `value` is written as in a configuration
    /// file. The directives `port`, `dir` and `logfile` are the library's own.
    ///
    /// With `requirepass`, the library's own connections authenticate.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((name.into(), value.into()));
        self
    }

    /// Listens for TLS, too, on a port of its own. Clients may show a certificate that `authority`
    /// signed, and need not. All three are paths of PEM files.
    pub fn tls(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        authority: impl Into<PathBuf>,
    ) -> Self {
        self.tls = Some(Tls {
            certificate: certificate.into(),
            key: key.into(),
            authority: authority.into(),
        });
        self
    }

    /// Runs the server under another program, which gets these words, the server's path and its argument, and
    /// has to become the server's process: a profiler.
    pub fn under(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.under = words.into_iter().map(Into::into).collect();
        self
    }

    /// The program that the server runs under, with its arguments; nothing for none.
    pub(crate) fn program(&self) -> &[String] {
        &self.under
    }

    pub(crate) fn find_binary(&self) -> Result<Binary, Error> {
        self.binary.clone().map_or_else(|| Binary::find(Flavor::Any), Ok)
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        let directive = self.config.iter().rev().find(|(name, _)| name == "requirepass");
        directive.map(|(_, value)| value.trim_matches('"'))
    }

    /// The configuration file for these ports. A bus port makes it a cluster's node.
    pub(crate) fn file(&self, ports: Ports) -> Result<String, Error> {
        let mut lines = vec![
            ("bind", "127.0.0.1".to_owned()),
            ("port", ports.client.to_string()),
            ("protected-mode", "no".to_owned()),
            ("daemonize", "no".to_owned()),
            ("save", r#""""#.to_owned()),
            ("appendonly", "no".to_owned()),
            // Replicas attach at once.
            ("repl-diskless-sync-delay", "0".to_owned()),
        ];
        if let Some(bus) = ports.bus {
            lines.extend([
                ("cluster-enabled", "yes".to_owned()),
                ("cluster-config-file", "nodes.conf".to_owned()),
                ("cluster-node-timeout", "1500".to_owned()),
                ("cluster-port", bus.to_string()),
                ("cluster-announce-ip", "127.0.0.1".to_owned()),
                // Nodes keep the roles that tests gave them.
                ("cluster-allow-replica-migration", "no".to_owned()),
            ]);
            if let Some(password) = self.password() {
                lines.push(("masterauth", format!("\"{password}\"")));
            }
        }
        if let (Some(tls), Some(port)) = (&self.tls, ports.tls) {
            lines.extend([
                ("tls-port", port.to_string()),
                ("tls-cert-file", quoted(&tls.certificate)?),
                ("tls-key-file", quoted(&tls.key)?),
                ("tls-ca-cert-file", quoted(&tls.authority)?),
                ("tls-auth-clients", "optional".to_owned()),
            ]);
        }
        let own = lines.iter().map(|(name, value)| (*name, value.as_str()));
        let added = self.config.iter().map(|(name, value)| (name.as_str(), value.as_str()));

        let mut text = String::new();
        for (name, value) in own.chain(added) {
            let _ = writeln!(text, "{name} {value}");
        }
        Ok(text)
    }
}

/// The absolute path: the server runs in a folder of its own.
fn quoted(path: &Path) -> Result<String, Error> {
    let path = std::path::absolute(path).map_err(Error::io("finding a certificate"))?;
    Ok(format!("\"{}\"", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_directives_come_after_the_defaults() {
        let ports = Ports { client: 7000, bus: None, tls: None };

        let file = Options::new().config("appendonly", "yes").file(ports).unwrap();

        assert!(file.contains("port 7000\n"));
        assert!(file.find("appendonly no").unwrap() < file.find("appendonly yes").unwrap());
        assert!(!file.contains("cluster"));
    }
}
