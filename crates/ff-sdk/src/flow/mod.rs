//! Flows: graphs of jobs that are submitted, steered and read as a whole.
//!
//! A [`Flow`] is built as a [`Job`](crate::Job) is: setters never fail, and the first problem is what
//! the submit answers. What the end of a node means for the others is decided by the engine and not
//! here.
//!
//! ```
//! # use std::sync::Arc;
//! # use ff_backend_mem::MemBackend;
//! use ff_sdk::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), EngineError> {
//! # let client = Client::new(Arc::new(MemBackend::new()));
//! let mut flow = Flow::new().fail_fast();
//! flow.node("fetch", Job::new("fetch", "https://example.org"));
//! flow.node("parse", Job::new("parse", &())).after(["fetch"]);
//! flow.node("report", Job::new("report", &())).after(["parse"]);
//!
//! let id = client.submit_flow(&flow).await?;
//! println!("{}", ff_sdk::flow::mermaid(&client.flow(id).graph().await?));
//! # Ok(())
//! # }
//! ```

mod builder;
mod cancelling;
mod draw;
mod end;
mod extension;
mod graph;
mod handle;
mod nodes;
mod run;

pub use builder::Flow;
pub use cancelling::CancelFlowCall;
pub use draw::{dot, mermaid};
pub use end::{FlowEnd, FlowNotCompleted};
pub use extension::Extension;
pub use graph::FlowGraph;
pub use handle::FlowHandle;
pub use nodes::{NewEdges, NewNode};
pub use run::{FlowEvent, FlowRun};
