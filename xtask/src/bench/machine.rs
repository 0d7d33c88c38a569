//! What the figures were taken on.

use std::collections::BTreeMap;

use serde::Serialize;

/// The machine and the build.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cores: usize,
    memory_gib: Option<u64>,
    os: &'static str,
    arch: &'static str,
    rustc: String,
    version: &'static str,
}

impl Machine {
    pub(super) fn here() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: status_kib("/proc/meminfo", "MemTotal:").map(|kib| kib.div_ceil(1 << 20)),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            rustc: rustc(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = self.memory_gib.map_or_else(String::new, |gib| format!(", {gib} GiB"));
        write!(f, "{} cores{memory}, {} {}, {}", self.cores, self.os, self.arch, self.rustc)
    }
}

/// Bytes of this process that are in memory, where the system tells.
pub(super) fn resident_bytes() -> Option<u64> {
    status_kib("/proc/self/status", "VmRSS:").map(|kib| kib * 1024)
}

fn status_kib(file: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn rustc() -> String {
    std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "rustc unknown".to_owned(), |text| text.trim().to_owned())
}

/// Versions of what is measured with: the client library, and the server.
pub(super) fn versions(server: Option<String>) -> BTreeMap<&'static str, String> {
    let mut versions = BTreeMap::new();
    if let Some(server) = server {
        versions.insert("server", server);
        versions.insert("fred", locked("fred").unwrap_or_else(|| "unknown".to_owned()));
    }
    versions
}

/// The version of a dependency, by the lock file.
fn locked(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string(crate::workspace_root().join("Cargo.lock")).ok()?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    Some(lines.nth(1)?.strip_prefix("version = ")?.trim_matches('"').to_owned())
}
