//! A cluster of private servers: forming it, moving slots, changing roles. Losing and finding nodes
//! is up to the nodes themselves, through [`Cluster::nodes_mut`].

use std::time::Duration;

use crate::nodes::{self, Node};
use crate::slot::SLOTS;
use crate::{Error, Options, Reply, Server, wait};

/// How long the nodes may take to agree.
const AGREEMENT: Duration = Duration::from_secs(30);

/// How many keys move in one command.
const BATCH: &str = "100";

/// A running cluster, in which the primaries share the slots evenly.
///
/// With `p` primaries, the nodes `0..p` start as primaries; the replicas of node `i` follow, in the
/// order of their primaries.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
    ids: Vec<String>,
    primaries: usize,
}

impl Cluster {
    /// Runs `primaries` times one and `replicas` nodes, and returns once each serves and sees all
    /// others. Node timeouts are 1.5 s, unless `options` say otherwise.
    pub fn start(options: &Options, primaries: usize, replicas: usize) -> Result<Self, Error> {
        if primaries == 0 || primaries > usize::from(SLOTS) {
            return Err(Error::Cluster(format!(
                "{primaries} primaries cannot share {SLOTS} slots"
            )));
        }
        let nodes = (0..primaries * (1 + replicas))
            .map(|_| Server::start_as(options, true))
            .collect::<Result<Vec<_>, _>>()?;
        let ids = nodes
            .iter()
            .map(|node| text(&ask(node, &["CLUSTER", "MYID"])?))
            .collect::<Result<Vec<_>, _>>()?;
        let cluster = Self { nodes, ids, primaries };
        cluster.share_slots()?;
        cluster.introduce()?;
        cluster.attach_replicas(replicas)?;
        cluster.wait_until_whole()?;
        Ok(cluster)
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The nodes, to kill and restart them.
    pub fn nodes_mut(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    /// `valkey://127.0.0.1:PORT?cluster=true`, with the port of the first node that is up.
    pub fn url(&self) -> String {
        let node = self.nodes.iter().find(|node| node.is_up()).unwrap_or(&self.nodes[0]);
        format!("{}?cluster=true", node.url())
    }

    /// The index of the node that serves `slot`. Where the nodes disagree, the latest claim counts.
    pub fn owner_of(&self, slot: u16) -> Result<usize, Error> {
        // A node that crashed has no say, and is not known to be down.
        let seen = self.up().filter_map(|node| self.view(node).ok()).flatten();
        let owner = seen
            .filter(|node| node.is_primary && node.owns(slot))
            .max_by_key(|node| node.epoch)
            .ok_or_else(|| Error::Cluster(format!("no node serves slot {slot}")))?;
        self.index_of(&owner.id)
    }

    /// Moves `slot` with its keys to the primary `to`, and returns once all nodes know.
    pub fn migrate_slot(&self, slot: u16, to: usize) -> Result<(), Error> {
        if self.owner_of(slot)? == to {
            return Ok(());
        }
        self.begin_migration(slot, to)?;
        self.finish_migration(slot, to)
    }

    /// Begins to move `slot` to the primary `to`: from here on, the owner answers `ASK` for keys it
    /// does not have.
    pub fn begin_migration(&self, slot: u16, to: usize) -> Result<(), Error> {
        let from = self.owner_of(slot)?;
        let slot = slot.to_string();
        self.ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]])?;
        self.ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", self.id(to)?])?;
        Ok(())
    }

    /// Moves the keys of a slot whose move has begun, makes `to` its owner, and returns once all
    /// nodes know.
    pub fn finish_migration(&self, slot: u16, to: usize) -> Result<(), Error> {
        let from = self.owner_of(slot)?;
        while self.move_keys(slot, from, to)? {}

        // The receiver first: a slot that nobody owns would be refused to clients.
        let others = self.up().filter(|node| *node != to && *node != from);
        for node in [to, from].into_iter().chain(others) {
            if self.myself(node)?.is_primary {
                let slot = slot.to_string();
                self.ask(node, &["CLUSTER", "SETSLOT", &slot, "NODE", self.id(to)?])?;
            }
        }
        self.wait_until(&format!("all nodes know node {to} as the owner of slot {slot}"), |node| {
            node.id == self.ids[to] && node.owns(slot)
        })
    }

    /// Makes the replica `node` a primary in the place of its own, which may be down, and returns
    /// once all nodes that are up know.
    pub fn failover(&self, node: usize) -> Result<(), Error> {
        let primary = self
            .myself(node)?
            .primary_id
            .ok_or_else(|| Error::Cluster(format!("node {node} is no replica")))?;
        if self.nodes[self.index_of(&primary)?].is_up() {
            self.ask(node, &["CLUSTER", "FAILOVER"])?;
        } else {
            self.ask(node, &["CLUSTER", "FAILOVER", "FORCE"])?;
        }
        self.wait_until(&format!("all nodes know node {node} as a primary"), |seen| {
            seen.id == self.ids[node] && seen.is_primary && seen.owns_any()
        })
    }

    /// Waits until all nodes are up, serve, and see each other; after a restart, for one.
    pub fn wait_until_whole(&self) -> Result<(), Error> {
        wait("all nodes serve and see each other", || {
            (0..self.nodes.len()).try_for_each(|node| self.check_whole(node))
        })
    }

    fn share_slots(&self) -> Result<(), Error> {
        let first_of = |share: usize| share * usize::from(SLOTS) / self.primaries;
        for share in 0..self.primaries {
            let (first, last) = (first_of(share), first_of(share + 1) - 1);
            let (first, last) = (first.to_string(), last.to_string());
            self.ask(share, &["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        // Nodes that start with different epochs need not settle a conflict.
        for node in 0..self.nodes.len() {
            self.ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()])?;
        }
        Ok(())
    }

    fn introduce(&self) -> Result<(), Error> {
        for node in &self.nodes[1..] {
            let bus = node.bus_port().unwrap_or_default().to_string();
            let port = node.port().to_string();
            self.ask(0, &["CLUSTER", "MEET", node.host(), &port, &bus])?;
        }
        wait("all nodes know each other", || {
            (0..self.nodes.len()).try_for_each(|node| self.check_acquainted(node).map(drop))
        })
    }

    fn attach_replicas(&self, replicas: usize) -> Result<(), Error> {
        (self.primaries..self.nodes.len()).try_for_each(|node| {
            let primary = (node - self.primaries) / replicas;
            self.ask(node, &["CLUSTER", "REPLICATE", &self.ids[primary]]).map(drop)
        })
    }

    /// Moves some keys, and answers whether there were any.
    fn move_keys(&self, slot: u16, from: usize, to: usize) -> Result<bool, Error> {
        let reply = self.ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), BATCH])?;
        let keys = reply.as_array().unwrap_or_default();
        if keys.is_empty() {
            return Ok(false);
        }
        let to = self.node(to)?;
        let port = to.port().to_string();
        let mut words = vec!["MIGRATE", to.host(), port.as_str(), "", "0", "5000"];
        if let Some(password) = to.password() {
            words.extend(["AUTH", password]);
        }
        words.push("KEYS");
        let mut words: Vec<&[u8]> = words.into_iter().map(str::as_bytes).collect();
        words.extend(keys.iter().filter_map(|key| match key {
            Reply::Bulk(Some(key)) => Some(key.as_slice()),
            _ => None,
        }));
        self.ask(from, &words)?;
        Ok(true)
    }

    fn check_whole(&self, node: usize) -> Result<(), Error> {
        let view = self.check_acquainted(node)?;
        let primaries = view.iter().filter(|node| node.is_primary).count();
        let state = text(&self.ask(node, &["CLUSTER", "INFO"])?)?;
        let replication = text(&self.ask(node, &["INFO", "replication"])?)?;
        let has = |text: &str, wanted| text.lines().any(|line| line == wanted);
        if primaries != self.primaries {
            Err(Error::Cluster(format!("node {node} sees {primaries} primaries")))
        } else if !has(&state, "cluster_state:ok") {
            Err(Error::Cluster(format!("node {node} does not serve")))
        } else if has(&replication, "role:slave") && !has(&replication, "master_link_status:up") {
            Err(Error::Cluster(format!("node {node} does not follow its primary yet")))
        } else {
            Ok(())
        }
    }

    /// The view of `node`, if it is one of all nodes in good health.
    fn check_acquainted(&self, node: usize) -> Result<Vec<Node>, Error> {
        let view = self.view(node)?;
        let healthy = view.iter().filter(|node| node.is_healthy).count();
        if healthy == self.nodes.len() && view.len() == healthy {
            Ok(view)
        } else {
            let all = view.len();
            Err(Error::Cluster(format!("node {node} sees {all} nodes, {healthy} of them healthy")))
        }
    }

    /// Waits until every node that is up sees a node as described.
    fn wait_until(&self, what: &str, is_so: impl Fn(&Node) -> bool) -> Result<(), Error> {
        wait(what, || {
            for node in self.up() {
                if !self.view(node)?.iter().any(&is_so) {
                    return Err(Error::Cluster(format!("node {node} does not")));
                }
            }
            Ok(())
        })
    }

    /// The nodes that are up.
    fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up())
    }

    fn view(&self, node: usize) -> Result<Vec<Node>, Error> {
        nodes::parse(&text(&self.ask(node, &["CLUSTER", "NODES"])?)?)
    }

    /// How `node` sees itself.
    fn myself(&self, node: usize) -> Result<Node, Error> {
        let myself = self.view(node)?.into_iter().find(|node| node.is_myself);
        myself.ok_or_else(|| Error::Protocol(format!("node {node} does not list itself")))
    }

    fn ask(&self, node: usize, words: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
        ask(self.node(node)?, words)
    }

    fn node(&self, node: usize) -> Result<&Server, Error> {
        self.nodes.get(node).ok_or_else(|| Error::Cluster(format!("there is no node {node}")))
    }

    fn id(&self, node: usize) -> Result<&str, Error> {
        self.node(node).map(|_| self.ids[node].as_str())
    }

    fn index_of(&self, id: &str) -> Result<usize, Error> {
        let index = self.ids.iter().position(|known| known == id);
        index.ok_or_else(|| Error::Cluster(format!("{id} is none of the nodes")))
    }
}

fn ask(node: &Server, words: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
    node.command(words)?.into_result()
}

fn text(reply: &Reply) -> Result<String, Error> {
    reply.as_str().map(str::to_owned).ok_or_else(|| Error::Protocol(format!("{reply:?}")))
}

/// Checks until it holds; the error tells what was wrong last.
fn wait(what: &str, check: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    let mut last = None;
    wait::until(AGREEMENT, || check().map_err(|error| last = Some(error)).ok()).ok_or_else(|| {
        let seen = last.map(|error| format!(": {error}")).unwrap_or_default();
        Error::TimedOut { what: format!("{what}{seen}"), bound: AGREEMENT }
    })
}
