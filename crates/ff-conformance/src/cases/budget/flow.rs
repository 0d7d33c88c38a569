//! The budgets of a flow: whatever is a member of it draws on them, also what is added later.

use ff_engine::{EngineError, ExtendFlow, FlowNode, FlowSpec};
use ff_types::{BudgetId, FlowId, NodeKey, limits};

use crate::Fixture;
use crate::budgets::{report, tokens};
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq, refused};

pub(crate) const CASES: &[Case] = &cases!["budget":
    flow_members_draw_on_it,
    flow_budgets_are_part_of_it,
    extensions_draw_on_the_flows,
    large_extensions_draw_on_them_too,
    extension_over_the_most_is_refused,
    extension_repeat_draws_once,
];

/// A node that is expected to use three tokens, and draws on these budgets.
fn node(fx: &Fixture, key: &str, own: &[BudgetId]) -> CaseResult<FlowNode> {
    let submission = fx.submission("node")?.with_estimate(tokens(3));
    let submission = own.iter().fold(submission, |one, budget| one.with_budget(*budget));
    Ok(FlowNode::new(NodeKey::new(key)?, submission))
}

/// A flow of one node, which has these budgets.
async fn flow_with(fx: &Fixture, budgets: &[BudgetId]) -> CaseResult<FlowId> {
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets(budgets.iter().copied())?;
    let spec = spec.with_node(node(fx, "a", &[])?);
    Ok(fx.backend.submit_flow(&spec).await?.flow_id)
}

/// Nodes that do not fit one step.
fn many(mut extension: ExtendFlow, fx: &Fixture) -> CaseResult<ExtendFlow> {
    for index in 0..=limits::FLOW_ONE_STEP_NODES_MAX {
        extension.add_node(node(fx, &format!("n{index}"), &[])?);
    }
    Ok(extension)
}

/// Every member of a flow draws on the budgets of the flow, in front of its own.
pub(crate) async fn flow_members_draw_on_it(fx: Fixture) -> CaseResult {
    let (of_flow, own) = (fx.budget_of(5).await?, fx.budget_of(10).await?);
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([of_flow])?;
    let spec = spec.with_node(node(&fx, "a", &[own])?).with_node(node(&fx, "b", &[own])?);
    let flow = fx.backend.submit_flow(&spec).await?.flow_id;

    let task = fx.claim_one().await?;
    ensure_eq!(fx.describe(task.execution_id).await?.budgets, [of_flow, own]);
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for both");
    fx.assert_waits(fx.member(flow, "b").await?, of_flow).await?;
    ensure_eq!((fx.spent(of_flow).await?, fx.spent(own).await?), ((0, 3), (0, 3)));
    fx.usage(&task, &report(2, "a")).await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;

    ensure_eq!((fx.spent(of_flow).await?, fx.spent(own).await?), ((2, 0), (2, 0)));
    ensure_eq!(fx.claim_one().await?.execution_id, fx.member(flow, "b").await?);
    Ok(())
}

/// The description of a flow shows its budgets. The same flow whose nodes name them for themselves is another
/// one.
pub(crate) async fn flow_budgets_are_part_of_it(fx: Fixture) -> CaseResult {
    let (one, other) = (fx.budget_of(5).await?, fx.budget_of(5).await?);
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([one, other])?;
    let first = node(&fx, "a", &[])?;
    let id = spec.id();
    fx.backend.submit_flow(&spec.with_node(first.clone())).await?;
    let before = fx.snapshot().await;

    ensure_eq!(fx.seen(id).await?.view.budgets, [one, other]);
    for (of_flow, own) in [(&[one][..], &[other][..]), (&[], &[one, other])] {
        let mut named = first.clone();
        named.submission = own.iter().fold(named.submission, |it, budget| it.with_budget(*budget));
        let spec = FlowSpec::new(id).with_budgets(of_flow.iter().copied())?.with_node(named);
        assert_code(fx.backend.submit_flow(&spec).await, "conflict_flow_id")?;
    }

    ensure_eq!(fx.snapshot().await, before, "a refused flow left something");
    let plain = fx.submit_flow("a", "").await?;
    ensure_eq!(fx.seen(plain).await?.view.budgets, []);
    Ok(())
}

/// A node that an extension adds draws on the budgets of the flow first, then on those of the extension, and
/// then on its own, on each of them once.
pub(crate) async fn extensions_draw_on_the_flows(fx: Fixture) -> CaseResult {
    let (of_flow, named) = (fx.budget_of(8).await?, fx.budget_of(10).await?);
    let own = fx.budget_of(10).await?;
    let flow = flow_with(&fx, &[of_flow]).await?;
    let extension = fx.extension(flow, "", "").await?.with_budgets([named, of_flow])?;
    let extension = extension.with_node(node(&fx, "b", &[own, of_flow, named])?).with_node(node(
        &fx,
        "c",
        &[],
    )?);

    fx.backend.extend_flow(&extension).await?;

    let (b, c) = (fx.member(flow, "b").await?, fx.member(flow, "c").await?);
    ensure_eq!(fx.describe(b).await?.budgets, [of_flow, named, own]);
    ensure_eq!(fx.describe(c).await?.budgets, [of_flow, named]);
    ensure_eq!(fx.seen(flow).await?.view.budgets, [of_flow]);
    ensure_eq!(fx.claim_up_to(3).await?.len(), 2, "there is room for two");
    fx.assert_waits(c, of_flow).await?;
    ensure_eq!((fx.spent(of_flow).await?, fx.spent(named).await?), ((0, 6), (0, 3)));
    ensure_eq!(fx.spent(own).await?, (0, 3));
    Ok(())
}

/// Every node of an extension that is too large for one step draws on the budgets of the flow first, too.
pub(crate) async fn large_extensions_draw_on_them_too(fx: Fixture) -> CaseResult {
    let (of_flow, named) = (fx.budget_of(8).await?, fx.budget_of(10).await?);
    let flow = flow_with(&fx, &[of_flow]).await?;
    let extension = fx.extension(flow, "", "").await?.with_budgets([named])?;

    fx.backend.extend_flow(&many(extension, &fx)?).await?;

    for member in fx.seen(flow).await?.nodes.iter().skip(1) {
        let budgets = fx.describe(member.execution_id).await?.budgets;
        ensure_eq!(budgets, [of_flow, named], "{}", member.key);
    }
    ensure_eq!(fx.claim_up_to(3).await?.len(), 2, "there is room for two");
    ensure_eq!((fx.spent(of_flow).await?, fx.spent(named).await?), ((0, 6), (0, 3)));
    Ok(())
}

/// An extension by which a node would draw on more budgets than it may, with those of the flow, is refused
/// whole. A budget that both name counts once.
pub(crate) async fn extension_over_the_most_is_refused(fx: Fixture) -> CaseResult {
    let most = limits::BUDGETS_PER_EXECUTION_MAX;
    let mut budgets = Vec::new();
    for _ in 0..=most {
        budgets.push(fx.budget_of(10).await?);
    }
    let (of_flow, more) = budgets.split_at(most - 1);
    let flow = flow_with(&fx, of_flow).await?;
    let fits = node(&fx, "b", &[of_flow[0], more[0]])?;
    let before = fx.snapshot().await;

    let small = fx.extension(flow, "", "").await?.with_node(fits.clone());
    let small = small.with_node(node(&fx, "c", more)?);
    let large = many(fx.extension(flow, "", "").await?, &fx)?.with_node(node(&fx, "c", more)?);
    let named = fx.extension(flow, "", "").await?.with_budgets(more.iter().copied())?;
    for extension in [small, large, named.with_node(node(&fx, "c", &[])?)] {
        let error = refused(fx.backend.extend_flow(&extension).await)?;
        let told = match error {
            EngineError::LimitExceeded { field, limit, actual } => Some((field, limit, actual)),
            _ => None,
        };
        ensure_eq!(told, Some(("budgets".into(), most as u64, most as u64 + 1)));
    }

    ensure_eq!(fx.snapshot().await, before, "a refused extension left something");
    let extension = fx.extension(flow, "", "").await?.with_node(fits);
    fx.backend.extend_flow(&extension).await?;
    let drawn = fx.describe(fx.member(flow, "b").await?).await?.budgets;
    ensure_eq!(drawn, budgets[..most]);
    Ok(())
}

/// A repeat of an extension gives the first outcome and changes nothing, also when it is made anew, and after
/// another extension.
pub(crate) async fn extension_repeat_draws_once(fx: Fixture) -> CaseResult {
    let of_flow = fx.budget_of(20).await?;
    let flow = flow_with(&fx, &[of_flow]).await?;
    let first = many(fx.extension(flow, "", "").await?, &fx)?;
    let outcome = fx.backend.extend_flow(&first).await?;
    ensure_eq!(fx.claim_up_to(2).await?.len(), 2);
    let mut anew = fx.extension(flow, "", "").await?.with_node(node(&fx, "n1", &[])?);
    anew.request_id = first.request_id;

    for request in [&first, &anew] {
        let before = fx.snapshot().await;
        ensure_eq!(fx.backend.extend_flow(request).await?, outcome);
        ensure_eq!(fx.snapshot().await, before);
    }
    let next = fx.extension(flow, "", "").await?.with_node(node(&fx, "b", &[])?);
    fx.backend.extend_flow(&next).await?;
    let before = fx.snapshot().await;

    ensure_eq!(fx.backend.extend_flow(&first).await?, outcome);

    ensure_eq!(fx.snapshot().await, before);
    ensure_eq!(fx.spent(of_flow).await?, (0, 6));
    Ok(())
}
