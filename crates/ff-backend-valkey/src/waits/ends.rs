//! Reads that wait for the end of an execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ff_engine::EngineError;
use ff_types::ExecutionId;
use tokio::sync::oneshot;

use super::locked;
use crate::inner::Inner;

/// The fields of an end, or nothing when the store has to be asked.
type Told = Option<Vec<(Bytes, Bytes)>>;

/// The executions whose end this process waits for.
#[derive(Default)]
pub(crate) struct EndWaits {
    waiting: Mutex<HashMap<ExecutionId, Vec<oneshot::Sender<Told>>>>,
}

/// One read that waits.
pub(crate) struct EndWait {
    inner: Arc<Inner>,
    id: ExecutionId,
    told: oneshot::Receiver<Told>,
}

impl EndWaits {
    /// Listens for the end of an execution. What happens once this has returned is told.
    pub(crate) async fn listen(
        &self,
        inner: &Arc<Inner>,
        id: ExecutionId,
    ) -> Result<EndWait, EngineError> {
        let (tell, told) = oneshot::channel();
        locked(&self.waiting).entry(id).or_default().push(tell);
        let wait = EndWait { inner: Arc::clone(inner), id, told };
        // A repeat of the subscription is harmless, and waits until it holds.
        let channel = inner.partition_of(id).end_channel(id);
        inner.subscribe(&channel).await?;
        Ok(wait)
    }

    /// An execution has ended.
    pub(super) fn told(&self, id: ExecutionId, message: &Bytes) {
        let fields = fields(message).filter(|fields| !fields.is_empty());
        for read in locked(&self.waiting).remove(&id).into_iter().flatten() {
            // A read that gave up has dropped its end.
            let _gone = read.send(fields.clone());
        }
    }

    /// Messages may have been missed.
    pub(super) fn look_again(&self) {
        for read in std::mem::take(&mut *locked(&self.waiting)).into_values().flatten() {
            let _gone = read.send(None);
        }
    }
}

impl EndWait {
    /// The end, or nothing when the store has to be asked.
    pub(crate) async fn told(&mut self) -> Told {
        (&mut self.told).await.unwrap_or(None)
    }
}

impl Drop for EndWait {
    fn drop(&mut self) {
        self.told.close();
        let mut waiting = locked(&self.inner.waits.ends.waiting);
        if let Some(reads) = waiting.get_mut(&self.id) {
            reads.retain(|read| !read.is_closed());
            if !reads.is_empty() {
                return;
            }
            waiting.remove(&self.id);
        }
        drop(waiting);
        let (inner, id) = (Arc::clone(&self.inner), self.id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let channel = inner.partition_of(id).end_channel(id);
                if locked(&inner.waits.ends.waiting).contains_key(&id) {
                    return;
                }
                // Staying subscribed costs a little memory, and nothing else.
                let _left = inner.transport.unsubscribe(&channel).await;
                if locked(&inner.waits.ends.waiting).contains_key(&id) {
                    let _again = inner.subscribe(&channel).await;
                    inner.waits.ends.told(id, &Bytes::new());
                }
            });
        }
    }
}

/// Reads a message as `told.lua` writes it: `<name> <length>:<bytes>` again and again.
fn fields(message: &Bytes) -> Option<Vec<(Bytes, Bytes)>> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let head = at + message[at..].iter().position(|byte| *byte == b':')?;
        let space = at + message[at..head].iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&message[space + 1..head]).ok()?.parse().ok()?;
        let from = head + 1;
        message.get(from..from.checked_add(length)?)?;
        fields.push((message.slice(at..space), message.slice(from..from + length)));
        at = from + length;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_and_a_damaged_one_is_not() {
        let good = Bytes::from_static(b"r 9:completedre 3:a:b");
        let expected = [("r", "completed"), ("re", "a:b")];
        let read = fields(&good).unwrap();
        assert!(
            read.iter()
                .map(|(name, value)| (&name[..], &value[..]))
                .eq(expected.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        );

        for bad in ["s", "st", "st 9", "st 9:x", "st -1:x", "st9:x", "st 99999999999999999999:x"] {
            assert_eq!(fields(&Bytes::from(bad)), None, "{bad}");
        }
        let most = format!("st {}:x", usize::MAX);
        assert_eq!(fields(&Bytes::from(most)), None);
    }
}
