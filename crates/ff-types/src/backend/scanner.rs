//! Scanner filters: which executions maintenance and subscriptions look at.

use serde::{Deserialize, Serialize};

use crate::types::{Namespace, Tags};

/// Narrows a scanner or a subscription to one namespace, to one tag, or to both, so that several
/// instances share a keyspace and leave each other's executions alone.
///
/// ```
/// use ff_types::Tags;
/// use ff_types::backend::{Namespace, ScannerFilter};
///
/// let filter = ScannerFilter::new().with_instance_tag("instance", "blue");
/// let tags = Tags::new().with("instance", "blue")?;
/// assert!(filter.matches(&Namespace::default(), &tags));
/// assert!(!filter.matches(&Namespace::default(), &Tags::new()));
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ScannerFilter {
    /// The namespace an execution must be in; `None` takes any.
    pub namespace: Option<Namespace>,
    /// The tag, key and value, an execution must have; `None` takes any.
    pub instance_tag: Option<(String, String)>,
}

impl ScannerFilter {
    /// The filter that takes everything.
    pub const NOOP: Self = Self { namespace: None, instance_tag: None };

    /// The filter that takes everything, to be narrowed.
    pub const fn new() -> Self {
        Self::NOOP
    }

    /// Takes one namespace only.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Takes executions with this tag only.
    #[must_use]
    pub fn with_instance_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.instance_tag = Some((key.into(), value.into()));
        self
    }

    /// Whether everything passes.
    pub const fn is_noop(&self) -> bool {
        self.namespace.is_none() && self.instance_tag.is_none()
    }

    /// Whether an execution in `namespace` with `tags` passes.
    pub fn matches(&self, namespace: &Namespace, tags: &Tags) -> bool {
        let in_namespace = self.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
        let has_tag = self
            .instance_tag
            .as_ref()
            .is_none_or(|(key, value)| tags.get(key) == Some(value.as_str()));
        in_namespace && has_tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_conditions_must_hold() {
        let here = Namespace::new("here").unwrap();
        let there = Namespace::new("there").unwrap();
        let tagged = Tags::new().with("instance", "blue").unwrap();
        let filter =
            ScannerFilter::new().with_namespace(here.clone()).with_instance_tag("instance", "blue");

        assert!(ScannerFilter::NOOP.is_noop());
        assert!(ScannerFilter::NOOP.matches(&there, &Tags::new()));
        assert!(!filter.is_noop());
        assert!(filter.matches(&here, &tagged));
        assert!(!filter.matches(&there, &tagged));
        assert!(!filter.matches(&here, &Tags::new()));
        assert!(!filter.matches(&here, &Tags::new().with("instance", "green").unwrap()));
    }
}
