//! Extensions: nodes and edges for a flow that is running.

use std::sync::OnceLock;

use ff_engine::{EngineError, ExtendFlow, FlowView, IdSource};
use ff_types::{BudgetId, FlowId, RequestId};

use super::nodes::{Drafts, NewEdges, NewNode};
use crate::job::Job;

/// Nodes and edges to add to an open flow, in one step.
///
/// The new nodes draw on the budgets of the flow, in front of those that are named here.
///
/// Like a [`Flow`](super::Flow) it may be sent again when nobody knows whether it arrived.
///
/// ```
/// use ff_sdk::{Extension, Job};
///
/// let mut more = Extension::new();
/// more.node("page-2", Job::new("fetch", &2)).after(["index"]);
/// more.edges_into("report").after(["page-2"]);
/// ```
#[derive(Debug, Default)]
pub struct Extension {
    drafts: Drafts,
    budgets: Vec<BudgetId>,
    minted: OnceLock<RequestId>,
}

impl Extension {
    /// An extension that adds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, as [`Flow::node`](super::Flow::node) does. Its parents may be new or there; one
    /// that has ended counts at once.
    pub fn node(&mut self, key: impl Into<String>, job: Job) -> NewNode<'_> {
        self.minted = OnceLock::new();
        self.drafts.add(key.into(), job)
    }

    /// Adds edges into a node that is there and has not started: it then waits for them, too.
    pub fn edges_into(&mut self, key: impl Into<String>) -> NewEdges<'_> {
        self.minted = OnceLock::new();
        self.drafts.edges_into(key.into())
    }

    /// Lets every new node draw on a budget, behind those of the flow and in front of those that its job names:
    /// at most 4 in all, which lie where the flow does.
    #[must_use]
    pub fn budget(mut self, budget: BudgetId) -> Self {
        self.minted = OnceLock::new();
        self.budgets.push(budget);
        self
    }

    /// The name of the request, made on the first call.
    pub(crate) fn request_id(&self, ids: &IdSource) -> RequestId {
        *self.minted.get_or_init(|| ids.request_id())
    }

    /// The request against a flow that stands like this.
    pub(crate) fn request(
        &self,
        id: FlowId,
        name: RequestId,
        view: &FlowView,
        ids: &IdSource,
    ) -> Result<ExtendFlow, EngineError> {
        let first = view.summary.nodes;
        let request = ExtendFlow::new(name, id, view.revision, first);
        let mut request = request.with_budgets(self.budgets.iter().copied())?;
        let built = self.drafts.build(id, first, ids.clock().now())?;
        for node in built.nodes {
            request.add_node(node);
        }
        for edge in built.edges {
            request.add_edge(edge);
        }
        Ok(request)
    }
}

impl Clone for Extension {
    /// Another extension with the same content: sending both asks for the nodes twice.
    fn clone(&self) -> Self {
        Self { drafts: self.drafts.clone(), budgets: self.budgets.clone(), minted: OnceLock::new() }
    }
}
