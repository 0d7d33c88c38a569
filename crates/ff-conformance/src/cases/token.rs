//! Waitpoint tokens: the right to signal one waitpoint, and nothing else.

use ff_engine::{DeliverSignal, SignalOutcome};
use ff_types::TimestampMs;
use ff_types::backend::{
    PendingWaitpoint, WaitpointAddress, WaitpointHmac, WaitpointKey, WaitpointToken,
};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, cases, ensure_eq, refused};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["token":
    refusal_reveals_nothing,
    expires_at_the_boundary,
    is_bound_to_its_namespace,
    mutations_are_refused,
];

/// How every token that is no good is answered.
const REFUSAL: (&str, &str) = ("waitpoint_not_found", "waitpoint not found");

/// A signal with this token is refused as all are, and leaves nothing.
async fn assert_refused(fx: &Fixture, token: WaitpointToken, which: &str) -> CaseResult {
    let before = fx.snapshot().await;
    let signal = DeliverSignal::new(token, fx.ids.signal_id(), "approved");
    let error = refused(fx.backend.deliver_signal(&signal).await)
        .map_err(|error| CaseError::new(format!("{which}: {error}")))?;
    ensure_eq!((error.code(), error.to_string().as_str()), REFUSAL, "{which}");
    ensure_eq!(fx.snapshot().await, before, "the store after {which}");
    Ok(())
}

fn token(address: WaitpointAddress, hmac: &WaitpointHmac) -> WaitpointToken {
    WaitpointToken::new(address, hmac.clone())
}

/// Wrong, expired and foreign tokens, and good ones of waitpoints that are gone, are all answered
/// alike; the answer says nothing of what exists, and nothing is written.
pub(crate) async fn refusal_reveals_nothing(fx: Fixture) -> CaseResult {
    let (task, mine) = fx.waiting().await?;
    let other = fx.running().await?;
    let theirs = fx.pending(&other, "approval").await?;
    let brief = fx.waitpoint("brief")?.with_expires_in(ms(1_000));
    let brief = fx.backend.create_waitpoint(&other.handle, &brief).await?;
    let address = mine.address();
    let kid = mine.hmac_token.kid();

    let zeros = WaitpointHmac::new(format!("{kid}:{}", "0".repeat(40)))?;
    assert_refused(&fx, token(address.clone(), &zeros), "a guess").await?;
    let foreign = &theirs.hmac_token;
    assert_refused(&fx, token(address.clone(), foreign), "the token of another").await?;
    let unknown_kid = format!("nobody:{}", mine.hmac_token.mac_hex());
    let unknown_kid = WaitpointHmac::new(unknown_kid)?;
    assert_refused(&fx, token(address.clone(), &unknown_kid), "an unknown key").await?;
    let mut elsewhere = address.clone();
    elsewhere.execution_id = other.execution_id;
    assert_refused(&fx, token(elsewhere, &mine.hmac_token), "another execution").await?;
    let mut unknown = address.clone();
    unknown.execution_id = fx.ids.execution_id();
    assert_refused(&fx, token(unknown, &mine.hmac_token), "an unknown execution").await?;
    let mut another = address.clone();
    another.waitpoint_id = fx.ids.waitpoint_id();
    assert_refused(&fx, token(another, &mine.hmac_token), "another waitpoint").await?;
    let mut longer = address.clone();
    longer.expires_at = TimestampMs(longer.expires_at.as_i64() + 1);
    assert_refused(&fx, token(longer, &mine.hmac_token), "a longer life").await?;
    let mut renamed = address;
    renamed.key = WaitpointKey::new("other")?;
    assert_refused(&fx, token(renamed, &mine.hmac_token), "another key").await?;

    fx.advance(1_000).await;
    assert_refused(&fx, brief.token(), "an expired one").await?;
    fx.settle().await?;
    let cancel = fx.cancel_request(task.execution_id, "enough");
    fx.backend.cancel_execution(&cancel).await?;
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    assert_refused(&fx, mine.token(), "one of a run that is over").await
}

/// A token is good until the millisecond before its waitpoint expires, and not at it.
pub(crate) async fn expires_at_the_boundary(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let request = fx.waitpoint("approval")?.with_expires_in(ms(5_000));
    let pending = fx.backend.create_waitpoint(&task.handle, &request).await?;
    let repeated = fx.signal(&pending);
    fx.backend.deliver_signal(&repeated).await?;

    fx.advance(4_999).await;
    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Buffered);
    fx.advance(1).await;
    assert_refused(&fx, pending.token(), "at its expiry").await?;
    fx.advance(1_000_000).await;
    assert_refused(&fx, pending.token(), "long after").await
}

/// The token of a waitpoint is no good in another namespace, although everything else is the same
/// there.
pub(crate) async fn is_bound_to_its_namespace(fx: Fixture) -> CaseResult {
    let elsewhere = fx.second().await?;
    let submission = fx.submission("task")?;
    let request = fx.waitpoint("approval")?;
    let mut made: Vec<PendingWaitpoint> = Vec::new();
    for namespace in [&fx, &elsewhere] {
        let task = namespace.submit_and_claim(&submission).await?;
        made.push(namespace.backend.create_waitpoint(&task.handle, &request).await?);
    }
    let same = made[0].waitpoint_id == made[1].waitpoint_id;
    ensure_eq!(same, true, "the waitpoints have the same id");

    assert_refused(&fx, made[1].token(), "of another namespace").await?;
    assert_refused(&elsewhere, made[0].token(), "of another namespace").await?;
    ensure_eq!(fx.send(&made[0]).await?, SignalOutcome::Buffered);
    ensure_eq!(elsewhere.send(&made[1]).await?, SignalOutcome::Buffered);
    Ok(())
}

/// No change of a single character of a token leaves it good: it is no token any more, or it is
/// refused.
pub(crate) async fn mutations_are_refused(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let good = pending.token();
    let text = good.as_str().to_owned();
    let before = fx.snapshot().await;

    let mut parsed = 0;
    for at in 0..text.len() {
        for replacement in ['0', '1', 'a', 'f', 'F', '.', ':'] {
            let mut mutated = text.clone();
            mutated.replace_range(at..=at, &replacement.to_string());
            let Ok(token) = mutated.parse::<WaitpointToken>() else { continue };
            if mutated == text {
                continue;
            }
            parsed += 1;
            let signal = DeliverSignal::new(token, fx.ids.signal_id(), "approved");
            let error = refused(fx.backend.deliver_signal(&signal).await)
                .map_err(|error| CaseError::new(format!("character {at}: {error}")))?;
            ensure_eq!((error.code(), error.to_string().as_str()), REFUSAL, "character {at}");
        }
    }
    ensure_eq!(parsed > 100, true, "mutations that have the shape of a token: {parsed}");
    for length in 0..text.len() {
        let cut = text[..length].parse::<WaitpointToken>();
        ensure_eq!(cut.is_err(), true, "cut to {length}");
    }
    ensure_eq!(fx.snapshot().await, before);

    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Buffered);
    Ok(())
}
