//! The developer commands of the workspace, as a library so that tests call what the commands call.
//!
//! One module per command, and beside them what several share: [`steps`] runs a list of programs,
//! [`cases`] and [`rules`] read the conformance suite and the rules the engine's docs cite. Nothing
//! in the workspace depends on this crate.

#![allow(
    clippy::print_stdout,
    reason = "commands report to the terminal of the person who called them"
)]

use std::path::{Path, PathBuf};

pub mod acl;
pub mod bench;
pub mod cases;
pub mod ci;
pub mod conformance;
pub mod deps;
pub mod docs;
pub mod fix;
pub mod long_files;
pub mod lua;
pub mod rules;
mod source;
pub mod steps;
pub mod verify;

/// The root of the workspace this crate was built from.
///
/// # Panics
/// Never: the folder of this crate lies in the workspace root.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies one folder below the workspace root")
        .to_path_buf()
}
