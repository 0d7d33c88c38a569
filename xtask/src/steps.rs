//! Runs a list of programs one after the other, and says of each whether it passed and how long it
//! took. A failing step never stops the list: one run shows everything that is wrong.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// One program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The name shown in reports.
    pub name: &'static str,
    program: Program,
    args: Vec<&'static str>,
    env: Vec<(&'static str, &'static str)>,
    /// The executable that has to be on `PATH`, for a step that a machine may lack the tool for.
    tool: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Program {
    Cargo,
    Xtask,
    Named(&'static str),
}

impl Step {
    /// A step that runs `cargo` with `args`.
    pub fn cargo(name: &'static str, args: &[&'static str]) -> Self {
        Self::new(name, Program::Cargo, args)
    }

    /// A step that runs another command of this crate: the executable that is running now.
    pub fn xtask(name: &'static str, args: &[&'static str]) -> Self {
        Self::new(name, Program::Xtask, args)
    }

    /// A step that runs the tool `name`, found on `PATH` or skipped.
    pub fn optional_tool(name: &'static str, args: &[&'static str]) -> Self {
        let mut step = Self::new(name, Program::Named(name), args);
        step.tool = Some(name);
        step
    }

    fn new(name: &'static str, program: Program, args: &[&'static str]) -> Self {
        Self { name, program, args: args.to_vec(), env: Vec::new(), tool: None }
    }

    /// Skips the step where the executable `tool` is not on `PATH`.
    #[must_use]
    pub fn if_installed(mut self, tool: &'static str) -> Self {
        self.tool = Some(tool);
        self
    }

    /// Sets an environment variable of the program.
    #[must_use]
    pub fn with_env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// The command as a person would type it.
    pub fn command_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.env {
            let _ = write!(line, "{name}={value:?} ");
        }
        line.push_str(match self.program {
            Program::Cargo => "cargo",
            Program::Xtask => "cargo xtask",
            Program::Named(name) => name,
        });
        for arg in &self.args {
            line.push(' ');
            line.push_str(arg);
        }
        line
    }
}

/// How a list of steps is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Count a step whose tool is not installed as failed.
    #[arg(long)]
    pub require: bool,
    /// Show the output of steps that pass, too.
    #[arg(long)]
    pub verbose: bool,
}

/// What a list of steps came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    passed: usize,
    failed: Vec<&'static str>,
    not_run: Vec<String>,
}

impl Report {
    /// Whether no step failed.
    pub fn is_success(&self) -> bool {
        self.failed.is_empty()
    }

    /// The closing lines; the last one counts the steps.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for reason in &self.not_run {
            let _ = writeln!(text, "not run: {reason}");
        }
        for name in &self.failed {
            let _ = writeln!(text, "failed: {name}");
        }
        let _ = write!(text, "{} passed, {} failed", self.passed, self.failed.len());
        text
    }

    fn missing_tool(&mut self, step: &Step, tool: &str, require: bool) {
        self.not_run.push(format!("{tool} not installed"));
        if require {
            self.failed.push(step.name);
        }
    }
}

/// Runs `steps` in the folder `root`, prints their results and the summary, and answers with the
/// exit code for all of them.
pub fn run_and_report(root: &Path, steps: &[Step], options: Options) -> anyhow::Result<ExitCode> {
    let report = run(root, steps, options)?;
    println!("\n{}", report.summary());
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(root: &Path, steps: &[Step], options: Options) -> anyhow::Result<Report> {
    // Asked for once, before anything is built: a step may replace the file of this executable.
    let xtask = std::env::current_exe().context("finding the running executable")?;
    let mut report = Report::default();

    for step in steps {
        if let Some(tool) = step.tool
            && !is_on_path(tool)
        {
            println!("{}: not run, {tool} is not installed", step.name);
            report.missing_tool(step, tool, options.require);
            continue;
        }

        print!("{}: {} ... ", step.name, step.command_line());
        std::io::stdout().flush()?;
        let (passed, output, took) = execute(root, step, &xtask)
            .with_context(|| format!("running step {}: {}", step.name, step.command_line()))?;

        println!("{} ({:.1} s)", if passed { "ok" } else { "FAILED" }, took.as_secs_f64());
        if !passed || options.verbose {
            std::io::stdout().write_all(&output)?;
            println!();
        }
        if passed {
            report.passed += 1;
        } else {
            report.failed.push(step.name);
        }
    }
    Ok(report)
}

fn execute(root: &Path, step: &Step, xtask: &Path) -> anyhow::Result<(bool, Vec<u8>, Duration)> {
    let program = match step.program {
        Program::Cargo => cargo().into(),
        Program::Xtask => xtask.to_path_buf(),
        Program::Named(name) => PathBuf::from(name),
    };
    let started = now();
    // One pipe for both streams, so that they stay in the order they were written.
    let (mut reader, writer) = pipe()?;
    let mut child = {
        // The command owns the writing ends: it goes away before the read, or that would not end.
        let mut command = Command::new(program);
        command
            .args(&step.args)
            .envs(step.env.iter().copied())
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        command.spawn()?
    };
    let mut output = Vec::new();
    reader.read_to_end(&mut output)?;
    let status = child.wait()?;
    Ok((status.success(), output, started.elapsed()))
}

/// The `cargo` that started this process, or the one on `PATH`.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn is_on_path(tool: &str) -> bool {
    let file = format!("{tool}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&file).is_file()))
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch for people, which decides nothing")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_like_the_command_a_person_types() {
        let doc =
            Step::cargo("rustdoc", &["doc", "--no-deps"]).with_env("RUSTDOCFLAGS", "-D warnings");

        assert_eq!(doc.command_line(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
        assert_eq!(
            Step::xtask("docs", &["docs", "--check"]).command_line(),
            "cargo xtask docs --check"
        );
        assert_eq!(Step::optional_tool("typos", &[]).command_line(), "typos");
    }

    #[test]
    fn the_summary_names_what_failed_and_ends_with_the_counts() {
        let report = Report {
            passed: 3,
            failed: vec!["clippy"],
            not_run: vec!["typos not installed".into()],
        };

        assert_eq!(
            report.summary(),
            "not run: typos not installed\nfailed: clippy\n3 passed, 1 failed"
        );
        assert!(!report.is_success());
    }

    #[test]
    fn a_missing_tool_fails_only_where_it_is_required() {
        let step = Step::optional_tool("no-such-tool-is-installed", &[]);
        let root = crate::workspace_root();

        let lenient = run(&root, std::slice::from_ref(&step), Options::default()).unwrap();
        let strict = run(&root, &[step], Options { require: true, verbose: false }).unwrap();

        assert!(lenient.is_success());
        assert_eq!(
            lenient.summary(),
            "not run: no-such-tool-is-installed not installed\n0 passed, 0 failed"
        );
        assert!(!strict.is_success());
    }

    #[test]
    fn a_failing_step_does_not_stop_the_list() {
        let steps = [
            Step::cargo("broken", &["no-such-subcommand-exists"]),
            Step::cargo("version", &["--version"]),
        ];

        let report = run(&crate::workspace_root(), &steps, Options::default()).unwrap();

        assert_eq!(report, Report { passed: 1, failed: vec!["broken"], not_run: vec![] });
    }
}
