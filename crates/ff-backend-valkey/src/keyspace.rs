//! Where things are: the partitions of a namespace and the prefix of their keys.
//!
//! Every call declares the mark of its partition, which always exists. On a cluster it declares a
//! second key that never does: while a slot is moved key by key, a server refuses a call whose keys
//! are not all in one place, and so it refuses every call on that slot before it has done anything.

use bytes::Bytes;
use ff_types::{BudgetId, ExecutionId, FlowId, Namespace, ScheduleId, WorkerInstanceId};

use crate::transport::Transport;

/// Most partitions of a keyspace.
pub(crate) const PARTITIONS_MAX: u16 = 1_024;

/// One partition.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    /// What all its keys start with.
    pub(crate) prefix: String,
    pub(crate) slot: u16,
    /// How many keys a call declares, and the keys.
    declared: Vec<Bytes>,
}

/// All partitions of a namespace.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    pub(crate) namespace: Namespace,
    pub(crate) partitions: Vec<Partition>,
}

impl Keyspace {
    pub(crate) fn new(
        namespace: Namespace,
        count: u16,
        clustered: bool,
        transport: &dyn Transport,
    ) -> Self {
        let partitions =
            (0..count).map(|number| partition(&namespace, number, clustered, transport)).collect();
        Self { namespace, partitions }
    }

    /// The number of the partition of a budget, and of all executions that draw on it.
    pub(crate) fn of_budget(&self, id: BudgetId) -> usize {
        usize::from(id.shard()) % self.partitions.len()
    }

    /// The number of the partition of a schedule, and of all its executions.
    pub(crate) fn of_schedule(&self, id: ScheduleId) -> usize {
        usize::from(id.shard()) % self.partitions.len()
    }

    /// The number of the partition of a flow and all its members.
    pub(crate) fn of_flow(&self, id: FlowId) -> usize {
        usize::from(id.shard()) % self.partitions.len()
    }

    /// The number of the partition of an execution.
    pub(crate) fn of(&self, id: ExecutionId) -> usize {
        usize::from(id.shard()) % self.partitions.len()
    }
}

impl Partition {
    /// What stands in front of a function's arguments: how many keys, and the keys.
    pub(crate) fn declared(&self) -> &[Bytes] {
        &self.declared
    }

    /// The channel of a process.
    pub(crate) fn process_channel(&self, process: &str) -> String {
        format!("{}n:{process}", self.prefix)
    }

    /// The channel of a worker instance.
    pub(crate) fn instance_channel(&self, instance: WorkerInstanceId) -> String {
        format!("{}y:{instance}", self.prefix)
    }

    /// The channel on which news of the stream of an execution are told.
    pub(crate) fn stream_channel(&self, id: ExecutionId) -> String {
        format!("{}s:{id}", self.prefix)
    }

    /// The channel on which the end of an execution is told.
    pub(crate) fn end_channel(&self, id: ExecutionId) -> String {
        format!("{}x:{id}", self.prefix)
    }
}

/// Partition `number` of a namespace, whatever others there are.
pub(crate) fn partition(
    namespace: &Namespace,
    number: u16,
    clustered: bool,
    transport: &dyn Transport,
) -> Partition {
    let prefix = format!("ff:{{{namespace}/{number}}}:");
    let mark = Bytes::from(format!("{prefix}mark"));
    let slot = transport.slot_of(&mark);
    let declared = if clustered {
        vec![Bytes::from_static(b"2"), mark, Bytes::from(format!("{prefix}never"))]
    } else {
        vec![Bytes::from_static(b"1"), mark]
    };
    Partition { prefix, slot, declared }
}
