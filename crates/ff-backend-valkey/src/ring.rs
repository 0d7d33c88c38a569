//! The keys of waitpoint tokens: those that were configured, or one that is made on first use and
//! kept in the first partition.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ff_engine::{EngineError, KeyRing, OsSecrets, WaitpointSecret};

use crate::call::BadReply;
use crate::calls::SigningKey;
use crate::failures::bad_reply;
use crate::inner::Inner;

#[derive(Default)]
pub(crate) struct Ring(Mutex<Option<KeyRing>>);

impl Ring {
    /// What was configured, if anything was.
    pub(crate) fn of(ring: Option<KeyRing>) -> Self {
        Self(Mutex::new(ring))
    }

    fn known(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What `look` makes of the ring, which is `made` when there is none yet.
    fn with<T>(&self, made: Option<KeyRing>, look: impl FnOnce(&mut KeyRing) -> T) -> Option<T> {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.is_none() {
            *ring = made;
        }
        ring.as_mut().map(look)
    }
}

impl Inner {
    /// What `look` makes of the ring. Without a configured one the first use fetches the key that is
    /// kept, or leaves one there.
    pub(crate) async fn with_ring<T>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&mut KeyRing) -> T,
    ) -> Result<T, EngineError> {
        let made = if self.ring.known() { None } else { Some(self.kept_ring(operation).await?) };
        self.ring.with(made, look).ok_or_else(|| bad_reply(operation, BadReply("key")))
    }

    /// The ring of the key that is kept. One is proposed only where none is, so that a secret that
    /// is in use is never sent.
    async fn kept_ring(&self, operation: &'static str) -> Result<KeyRing, EngineError> {
        let mut kept = self.signing_key(operation, &[]).await?;
        if kept.is_empty() {
            let proposed = WaitpointSecret::generate(&OsSecrets);
            kept = self.signing_key(operation, proposed.expose()).await?;
        }
        let secret = WaitpointSecret::new(kept.to_vec())
            .map_err(|_| EngineError::Corrupt { what: "the signing key".to_owned() })?;
        Ok(KeyRing::automatic(secret))
    }

    async fn signing_key(
        &self,
        operation: &'static str,
        proposed: &[u8],
    ) -> Result<Bytes, EngineError> {
        let call = SigningKey { proposed: Bytes::copy_from_slice(proposed) };
        let answer = self.call(operation, &self.keyspace.partitions[0], call).await?;
        answer.map(|kept| kept.secret).map_err(|_| bad_reply(operation, BadReply("key")))
    }

    /// The keys as the library takes them: the id of the one that signs, then of each other one its
    /// id and until when it verifies.
    pub(crate) async fn kids(&self, operation: &'static str) -> Result<String, EngineError> {
        let text = |(kid, until): (&str, Option<_>)| match until {
            Some(until) => format!("{kid}={until}"),
            None => kid.to_owned(),
        };
        self.with_ring(operation, |ring| ring.ends().map(text).collect::<Vec<_>>().join(",")).await
    }
}
