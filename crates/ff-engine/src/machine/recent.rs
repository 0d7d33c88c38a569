//! The latest few of something, oldest first.

use std::sync::Arc;

use ff_types::limits::REMEMBERED_CALLS_MAX;

/// At most [`REMEMBERED_CALLS_MAX`] items; a new one displaces the oldest. Takes a pointer while it
/// is empty, and clones without copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent<T>(Option<Arc<[T]>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> Recent<T> {
    /// The items, oldest first.
    pub fn as_slice(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The latest item.
    pub fn latest(&self) -> Option<&T> {
        self.as_slice().last()
    }

    /// The items with `item` behind them.
    pub(crate) fn push(&mut self, item: T) {
        let kept = self.as_slice();
        let kept = &kept[kept.len().saturating_sub(REMEMBERED_CALLS_MAX - 1)..];
        self.0 = Some(kept.iter().copied().chain([item]).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut recent = Recent::default();
        (0..20).for_each(|item| recent.push(item));

        assert_eq!(recent.as_slice(), (12..20).collect::<Vec<_>>());
    }
}
