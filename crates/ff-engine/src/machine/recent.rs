//! The latest few of something, oldest first.

use std::sync::Arc;

use ff_types::limits::REMEMBERED_CALLS_MAX;

/// At most [`REMEMBERED_CALLS_MAX`] items; a new one displaces the oldest. The latest is kept in
/// place, since most executions never have a second one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent<T> {
    latest: Option<T>,
    earlier: Option<Arc<[T]>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { latest: None, earlier: None }
    }
}

impl<T: Copy> Recent<T> {
    /// The items, latest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.latest.iter().chain(self.earlier().iter().rev())
    }

    /// The items with `item` behind them.
    pub(crate) fn push(&mut self, item: T) {
        if let Some(latest) = self.latest.replace(item) {
            let kept = self.earlier();
            let kept = &kept[kept.len().saturating_sub(REMEMBERED_CALLS_MAX - 2)..];
            self.earlier = Some(kept.iter().copied().chain([latest]).collect());
        }
    }

    fn earlier(&self) -> &[T] {
        self.earlier.as_deref().unwrap_or_default()
    }
}

impl<T: Copy> FromIterator<T> for Recent<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut recent = Self::default();
        items.into_iter().for_each(|item| recent.push(item));
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut recent = Recent::default();
        (0..20).for_each(|item| recent.push(item));

        assert!(recent.iter().copied().eq((12..20).rev()));
    }
}
