//! One running server process, which ends with its value here, and with this process.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::wait;

/// Waits for its standard input to end, which it does with this process, however that ends; then
/// kills the server and removes its folder.
const GUARD: &str = r#"read -r _; kill -KILL "$1"; rm -rf "$2""#;

#[derive(Debug)]
pub(crate) struct Process {
    server: Child,
    guard: Child,
}

impl Process {
    /// Runs `binary` with the configuration file `config`, in `folder`, under the program `under` if that
    /// is not empty.
    pub(crate) fn spawn(
        under: &[String],
        binary: &Path,
        folder: &Path,
        config: &str,
        log: &File,
    ) -> io::Result<Self> {
        // Groups of their own: what a terminal sends to the tests does not reach the two, and the
        // guard is there to see the tests end.
        let mut command = match under {
            [] => Command::new(binary),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary);
                command
            }
        };
        let mut server = command
            .arg(config)
            .current_dir(folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh", &server.id().to_string()])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match guard {
            Ok(guard) => Ok(Self { server, guard }),
            Err(error) => {
                end(&mut server);
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    /// How it ended, if it did.
    pub(crate) fn exit(&mut self) -> Option<String> {
        match self.server.try_wait() {
            Ok(status) => status.map(|status| status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Stops it, and returns once it stands still.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        // Leaves the process waitable, and returns for one that ended, too.
        let state = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let server = WaitId::Pid(Pid::from_child(&self.server));
        let _ = retry_on_intr(|| waitid(server.clone(), state));
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, and kills it where it has not within `bound`.
    pub(crate) fn shutdown(mut self, bound: Duration) {
        self.resume();
        self.signal(Signal::TERM);
        wait::until(bound, || self.exit());
    }

    fn signal(&self, signal: Signal) {
        // Refused only where the process is gone already, which a signal has nothing to add to.
        let _ = kill_process(Pid::from_child(&self.server), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard first: once the server is reaped, its id may be another process'.
        end(&mut self.guard);
        end(&mut self.server);
    }
}

/// Kills and reaps. Both fail only for a process that is gone.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
