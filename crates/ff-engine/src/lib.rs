//! FlowFabric.
