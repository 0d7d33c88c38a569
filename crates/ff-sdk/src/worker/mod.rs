//! The worker: claims tasks, runs their handlers, keeps their leases, and reports their ends.
//!
//! A worker is four kinds of loop over one backend: one that claims for each lane, one that renews
//! all leases, one that hears of cancellations, and one that does what time makes due. They share
//! nothing but slots and the book of leases, and each goes on by itself after the backend was away.

pub(crate) mod attempt;
mod book;
mod builder;
mod claim;
mod handle;
mod maintenance;
mod running;

use std::fmt;
use std::sync::Arc;

use ff_engine::EngineBackend;

pub use builder::WorkerBuilder;
pub use handle::WorkerHandle;

use crate::task::attempt::Desk;
use builder::Config;

/// Runs handlers for the tasks of one or several lanes.
///
/// ```
/// use std::sync::Arc;
/// use ff_backend_mem::MemBackend;
/// use ff_sdk::prelude::*;
///
/// async fn greet(_task: ClaimedTask, name: String) -> Result<String, TaskError> {
///     Ok(format!("hello {name}"))
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let backend = Arc::new(MemBackend::new());
///     let client = Client::new(backend.clone());
///     let worker = Worker::builder(backend)
///         .lane("greetings")
///         .concurrency(8)
///         .handler("greet", greet)
///         .build()?
///         .start();
///
///     let job = Job::new("greet", "Ada").lane("greetings");
///     let id = client.submit(&job).await?.id();
///     let hello: String = client.result(id).await?;
///     assert_eq!(hello, "hello Ada");
///
///     worker.shutdown().await;
///     Ok(())
/// }
/// ```
///
/// # What a handler's answer does
///
/// | answer | effect |
/// |---|---|
/// | a value | the execution completes with it |
/// | [`TaskError`](crate::TaskError), transient | another attempt, while retries are left |
/// | permanent, an unreadable payload, an unknown kind | the execution fails |
/// | a pause | the same attempt goes on later |
/// | the wait for signals or for a child flow | the same attempt goes on when it is over |
/// | a panic | like a transient error, with the message of the panic |
/// | any error, after the execution was cancelled | the execution is cancelled |
pub struct Worker {
    config: Config,
    desk: Arc<Desk>,
}

impl Worker {
    /// A worker over `backend`, to be set up.
    pub fn builder(backend: Arc<dyn EngineBackend>) -> WorkerBuilder {
        WorkerBuilder::new(backend)
    }

    /// Starts working in the background.
    ///
    /// # Panics
    /// Outside a Tokio runtime, or on one without timers (`enable_time`).
    pub fn start(self) -> WorkerHandle {
        WorkerHandle::start(self.config, self.desk)
    }

    /// Works until `shutdown` resolves, then shuts down.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// # use ff_sdk::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), EngineError> {
    /// # let backend = Arc::new(MemBackend::new());
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let worker = Worker::builder(backend)
    ///     .handler("greet", async |_: ClaimedTask, name: String| {
    ///         Ok::<_, TaskError>(format!("hello {name}"))
    ///     })
    ///     .build()?;
    /// let working = tokio::spawn(worker.run(async { stopped.await.unwrap_or_default() }));
    /// drop(stop);
    /// # working.await.unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let handle = self.start();
        shutdown.await;
        handle.shutdown().await;
    }

    /// Works until the process is told to stop, by Ctrl-C or SIGTERM, then shuts down.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub async fn run_until_signal(self) -> std::io::Result<()> {
        let signal = handle::stop_signal()?;
        self.run(signal).await;
        Ok(())
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("lanes", &self.config.lanes)
            .field("handlers", &self.config.handlers)
            .finish_non_exhaustive()
    }
}
