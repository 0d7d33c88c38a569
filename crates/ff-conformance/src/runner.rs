//! Runs the suite against a harness.
//!
//! Every case is two trials: `rules::<name>` on the backend as it is, on one thread, and
//! `faults::<name>` behind lost, repeated and delayed calls, on two threads. Each trial opens its
//! own namespace in its own runtime, so that trials run in parallel and one that hangs takes
//! nothing with it.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use ff_engine::machine::lifecycle::Move;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::canary;
use crate::case::{Case, CaseError, CaseResult, cases};
use crate::coverage::Coverage;
use crate::faults::FaultPlan;
use crate::fixture::{Fixture, Setup};
use crate::harness::Harness;
use crate::histories::{self, HistoryOptions};

/// The real time after which a trial counts as hung.
const WATCHDOG: Duration = Duration::from_mins(1);
/// How many calls in a hundred a fault trial hits.
const FAULT_PERCENT: u8 = 30;
/// Workers of the runtime of a fault trial.
const FAULT_THREADS: usize = 2;
/// Into how many trials the histories are divided, so that they run in parallel.
const HISTORY_TRIALS: u32 = 4;
/// How many histories a run without options makes, and how many when each is also played on an
/// oracle.
const HISTORIES_DEFAULT: u32 = 2_400;
const HISTORIES_AGAINST_DEFAULT: u32 = 150;
/// How many histories make every move that there is; fewer are not expected to.
const HISTORIES_COVER: u32 = 2_400;
/// The code that only calls which get lost answer.
const ANSWERED_BY_FAULTS: &str = "unavailable";

/// Cases that run without faults only, and why.
const WITHOUT_FAULTS: &[(&str, &str)] = &[
    ("schedule.one_look_is_bounded", "it counts what one call did, and a repeated tick does more"),
    ("schedule.wakes_a_waiting_worker", "it counts what one call did, and a repeat finds it done"),
    ("tick.is_bounded", "it counts what one call did, and a repeated tick does more"),
    ("tick.waits_for_what_comes_due", "it counts what one call did, and a repeat finds it done"),
    ("tick.next_due_is_exact", "it counts what one call did, and a repeat finds it done"),
];

/// Cases that are about an order, or take one for granted. In a divided store they hold for what is
/// kept together.
const ABOUT_ORDER: &[&str] = &[
    "claim.priority_then_fifo",
    "claim.capabilities_are_a_subset",
    "claim.carries_reclaims_when_asked",
    "claim.reclaims_follow_the_filter",
    "claim.repeat_gives_the_same_leases",
    "claim.takes_up_to_max_tasks",
    "explain.agrees_with_claim",
    "hold.keeps_it_from_being_claimed",
    "reclaim.order_and_capabilities",
    "reclaim.filter_is_honoured",
    "reclaim.repeat_gives_the_same_tokens",
    "replay.starts_a_new_attempt",
    "tick.ends_delays_in_order",
    "tick.is_bounded",
];

/// What to run, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Only trials whose name contains this.
    pub filter: Option<String>,
    /// Whether each case also runs behind faults.
    pub faults: bool,
    /// How many random histories to run, if any.
    pub histories: Option<u32>,
    /// Varies ids and faults; the same seed gives the same run.
    pub seed: u64,
    /// Prints one character a trial.
    pub quiet: bool,
    /// The real time after which a trial counts as hung; a minute unless set.
    pub watchdog: Option<Duration>,
    /// Runs nothing more once a trial has failed.
    pub fail_fast: bool,
}

impl Options {
    /// The whole suite, 2,400 histories included, with its fixed seed.
    pub fn new() -> Self {
        Self { faults: true, histories: Some(HISTORIES_DEFAULT), ..Self::default() }
    }

    /// The whole suite, changed by `FF_CONFORMANCE_HISTORIES` (a count), `FF_CONFORMANCE_SEED` (a
    /// number), `FF_CONFORMANCE_FAULTS` (`0` leaves the fault trials out),
    /// `FF_CONFORMANCE_WATCHDOG_SECONDS` and `FF_CONFORMANCE_FAIL_FAST` (`1` stops at the first failure).
    ///
    /// # Errors
    /// The name of a variable that is not a number.
    pub fn from_env() -> Result<Self, String> {
        let number = |name: &str| match std::env::var(name) {
            Err(_) => Ok(None),
            Ok(text) => text.parse().map(Some).map_err(|_| format!("{name} is not a number")),
        };
        let mut options = Self::new();
        if let Some(histories) = number("FF_CONFORMANCE_HISTORIES")? {
            options.histories = u32::try_from(histories).ok().filter(|count| *count > 0);
        }
        options.seed = number("FF_CONFORMANCE_SEED")?.unwrap_or(options.seed);
        options.watchdog = number("FF_CONFORMANCE_WATCHDOG_SECONDS")?.map(Duration::from_secs);
        options.faults = number("FF_CONFORMANCE_FAULTS")? != Some(0);
        options.fail_fast = number("FF_CONFORMANCE_FAIL_FAST")? == Some(1);
        Ok(options)
    }

    /// Only trials whose name contains `filter`.
    #[must_use]
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Decides whether each case also runs behind faults.
    #[must_use]
    pub const fn with_faults(mut self, faults: bool) -> Self {
        self.faults = faults;
        self
    }

    /// Runs this many random histories.
    #[must_use]
    pub const fn with_histories(mut self, histories: u32) -> Self {
        self.histories = Some(histories);
        self
    }

    /// Varies ids and faults.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Prints one character a trial.
    #[must_use]
    pub const fn with_quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
}

/// How a run went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Trials that held.
    pub passed: u64,
    /// Trials that broke.
    pub failed: u64,
    /// Trials left out by the filter.
    pub filtered_out: u64,
    /// Error codes that no call was answered with. Empty after a filtered run, which cannot tell.
    pub missing_codes: Vec<&'static str>,
    /// Moves that no execution made, where histories ran.
    pub missing_moves: Vec<Move>,
    /// Where the log showed a payload, a token or a secret, at TRACE.
    pub leaks: Vec<String>,
}

impl Summary {
    /// Whether something ran, everything held, and nothing was left out.
    pub fn is_success(&self) -> bool {
        self.passed > 0
            && self.failed == 0
            && self.missing_codes.is_empty()
            && self.missing_moves.is_empty()
            && self.leaks.is_empty()
    }
}

/// The `main` of a test target without the standard harness: takes its options from the command
/// line, as `cargo test` and `cargo nextest` pass them.
pub fn main(harness: impl Harness) -> ExitCode {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    run_main(&harness, None)
}

/// As [`main`], with every history compared with `oracle`, answer by answer and state by state.
pub fn main_against(harness: impl Harness, oracle: impl Harness) -> ExitCode {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let oracle: Arc<dyn Harness> = Arc::new(oracle);
    run_main(&harness, Some(&oracle))
}

fn run_main(harness: &Arc<dyn Harness>, oracle: Option<&Arc<dyn Harness>>) -> ExitCode {
    let arguments = Arguments::from_args();
    let listed = arguments.list;
    let options = match Options::from_env() {
        Ok(options) if oracle.is_some() && options == Options::new() => {
            options.with_histories(HISTORIES_AGAINST_DEFAULT)
        }
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let summary = run_trials(harness, oracle, &options, &arguments);
    if listed || summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the suite as `options` say and answers how it went.
pub fn run(harness: impl Harness, options: &Options) -> Summary {
    let mut arguments = Arguments::default();
    arguments.filter.clone_from(&options.filter);
    arguments.quiet = options.quiet;
    let harness: Arc<dyn Harness> = Arc::new(harness);
    run_trials(&harness, None, options, &arguments)
}

fn run_trials(
    harness: &Arc<dyn Harness>,
    oracle: Option<&Arc<dyn Harness>>,
    options: &Options,
    arguments: &Arguments,
) -> Summary {
    let watched = canary::watch();
    let coverage = Arc::new(Coverage::new());
    let trials = trials(harness, oracle, options, &coverage);
    let whole = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored;
    let conclusion = libtest_mimic::run(arguments, trials);
    let mut summary = Summary {
        passed: conclusion.num_passed,
        failed: conclusion.num_failed,
        filtered_out: conclusion.num_filtered_out,
        ..Summary::default()
    };
    if arguments.list {
        return summary;
    }
    if whole {
        summary.missing_codes = coverage.missing_codes();
        summary.missing_codes.retain(|code| options.faults || *code != ANSWERED_BY_FAULTS);
        if options.histories.is_some_and(|count| count >= HISTORIES_COVER) {
            summary.missing_moves = coverage.missing_moves();
        }
    }
    let (logged, leaks) = canary::found();
    summary.leaks = leaks;
    let names = (harness.name(), oracle.map(|oracle| oracle.name()));
    report(names, options, &coverage, &summary, watched.then_some(logged));
    summary
}

#[expect(clippy::print_stdout, reason = "the report of a command-line run")]
fn report(
    (backend, oracle): (&str, Option<&str>),
    options: &Options,
    coverage: &Coverage,
    summary: &Summary,
    logged: Option<u64>,
) {
    let (codes, moves) = (coverage.codes(), coverage.moves());
    let (histories, seed) = (options.histories.unwrap_or(0), options.seed);
    let against = oracle.map_or_else(String::new, |oracle| format!(" against {oracle}"));
    println!(
        "{backend}: {histories} histories{against}, seed {seed}; {codes} error codes and {moves} \
         moves"
    );
    match logged {
        Some(count) => {
            println!("{backend}: {count} log lines were watched for what they must not show");
        }
        None => println!("{backend}: the process logs by itself, and its log was not watched"),
    }
    for leak in &summary.leaks {
        println!("{backend}: the log of {leak}");
    }
    if summary.passed + summary.failed == 0 {
        println!("{backend}: no case ran");
    }
    for code in &summary.missing_codes {
        println!("{backend}: no call was answered with `{code}`");
    }
    for made in &summary.missing_moves {
        println!("{backend}: no execution made the move {made:?}");
    }
}

/// Every trial of a run. Trials of another kind are added here.
fn trials(
    harness: &Arc<dyn Harness>,
    oracle: Option<&Arc<dyn Harness>>,
    options: &Options,
    coverage: &Arc<Coverage>,
) -> Vec<Trial> {
    let watchdog = options.watchdog.unwrap_or(WATCHDOG);
    let stop = Arc::new(Stop { fail_fast: options.fail_fast, failed: AtomicBool::new(false) });
    let trial = |group: &str, case: Case, setup: Setup| {
        let harness = Arc::clone(harness);
        let job = move || guarded(watchdog, move || run_case(case, harness, setup));
        trial(format!("{group}::{}", case.name), &stop, job)
    };
    let mut trials = Vec::new();
    for case in cases() {
        let seed = seed_of(case.name, options.seed);
        let divided = harness.is_divided();
        let coverage = Arc::clone(coverage);
        let setup = Setup { coverage, faults: None, seed, spread: !divided };
        trials.push(trial("rules", case, setup.clone()));
        if divided && !ABOUT_ORDER.contains(&case.name) {
            let setup = Setup { spread: true, ..setup.clone() };
            trials.push(trial("spread", case, setup));
        }
        if options.faults && !WITHOUT_FAULTS.iter().any(|(name, _)| *name == case.name) {
            let faults = Some(FaultPlan::new(seed, FAULT_PERCENT));
            trials.push(trial("faults", case, Setup { faults, ..setup }));
        }
    }
    if let Some(count) = options.histories {
        trials.extend((0..HISTORY_TRIALS).map(|part| {
            let coverage = Arc::clone(coverage);
            let harnesses: Vec<_> = oracle.into_iter().chain([harness]).map(Arc::clone).collect();
            let count = count.div_ceil(HISTORY_TRIALS);
            let options = HistoryOptions::new(count, options.seed + u64::from(part));
            let job = move || histories::run(&harnesses, options, &coverage);
            self::trial(format!("histories::{part}"), &stop, job)
        }));
    }
    trials
}

/// Whether a run goes on.
struct Stop {
    fail_fast: bool,
    failed: AtomicBool,
}

fn trial<E>(
    name: String,
    stop: &Arc<Stop>,
    job: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Trial
where
    Failed: From<E>,
{
    let stop = Arc::clone(stop);
    Trial::test(name, move || {
        if stop.fail_fast && stop.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        job().map_err(|error| {
            stop.failed.store(true, Ordering::Relaxed);
            Failed::from(error)
        })
    })
}

/// Runs one case on a runtime of its own, then compares the store's indexes with its records.
fn run_case(case: Case, harness: Arc<dyn Harness>, setup: Setup) -> CaseResult {
    let mut builder = match setup.faults {
        None => tokio::runtime::Builder::new_current_thread(),
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(FAULT_THREADS).enable_all().build()?;
    runtime.block_on(async {
        let fixture = Fixture::open(harness, setup).await?;
        let after = fixture.clone();
        (case.run)(fixture).await?;
        after.check().await
    })
}

/// Runs `job` on a thread of its own and gives up on it when it hangs, whatever it hangs in.
pub(crate) fn guarded(
    watchdog: Duration,
    job: impl FnOnce() -> CaseResult + Send + 'static,
) -> Result<(), String> {
    let (done, outcome) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        // The receiver is gone only after the watchdog gave up.
        let _late = done.send(job());
    });
    match outcome.recv_timeout(watchdog) {
        Ok(result) => result.map_err(|error: CaseError| error.to_string()),
        Err(RecvTimeoutError::Timeout) => Err(format!("hung for {watchdog:?} of real time")),
        Err(RecvTimeoutError::Disconnected) => Err(panic_message(thread)),
    }
}

fn panic_message(thread: std::thread::JoinHandle<()>) -> String {
    let Err(payload) = thread.join() else {
        return "ended without an outcome".to_owned();
    };
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// A seed of its own for each case (FNV-1a over its name), so that a case added or removed changes
/// no other.
fn seed_of(name: &str, run_seed: u64) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325 ^ run_seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_exceptions_name_cases() {
        let mut names: Vec<_> = cases().iter().map(|case| case.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();

        assert_eq!(names.len(), all);
        for name in WITHOUT_FAULTS.iter().map(|(name, _)| name).chain(ABOUT_ORDER) {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn failures_and_panics_are_told() {
        let failed = guarded(WATCHDOG, || Err(CaseError::new("broken")));
        let panicked = guarded(WATCHDOG, || panic!("at the disco"));

        assert!(failed.is_err_and(|text| text.starts_with("broken\n  at ")));
        assert_eq!(panicked, Err("panicked: at the disco".to_owned()));
    }

    #[test]
    fn a_run_of_nothing_is_no_success() {
        assert!(!Summary::default().is_success());
    }
}
