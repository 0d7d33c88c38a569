//! Reading `CLUSTER NODES`: how one node sees the cluster.

use crate::Error;

/// One node, as another or itself sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) is_myself: bool,
    pub(crate) is_primary: bool,
    /// Not in a handshake, not failing, and with a link.
    pub(crate) is_healthy: bool,
    pub(crate) primary_id: Option<String>,
    pub(crate) epoch: u64,
    slots: Vec<(u16, u16)>,
}

impl Node {
    /// Whether it serves `slot`.
    pub(crate) fn owns(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }

    /// Whether it serves any slot.
    pub(crate) fn owns_any(&self) -> bool {
        !self.slots.is_empty()
    }
}

/// Reads the whole answer.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    text.lines()
        .map(|line| parse_line(line).ok_or_else(|| Error::Protocol(format!("the node {line:?}"))))
        .collect()
}

/// Reads `ID HOST:PORT@BUS FLAGS PRIMARY PING PONG EPOCH LINK SLOT…`.
fn parse_line(text: &str) -> Option<Node> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [id, _, flags, primary, _, _, epoch, link, slots @ ..] = words.as_slice() else {
        return None;
    };
    let flags: Vec<_> = flags.split(',').collect();
    let has = |flag| flags.contains(&flag);
    let is_failing = ["fail", "fail?", "handshake", "noaddr"].into_iter().any(has);
    Some(Node {
        id: (*id).to_owned(),
        is_myself: has("myself"),
        is_primary: has("master"),
        is_healthy: !is_failing && (has("myself") || *link == "connected"),
        primary_id: (*primary != "-").then(|| (*primary).to_owned()),
        epoch: epoch.parse().ok()?,
        // A slot on the move is in brackets, and its owner lists it without them, too.
        slots: slots
            .iter()
            .filter(|range| !range.starts_with('['))
            .map(|range| parse_range(range))
            .collect::<Option<_>>()?,
    })
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_server_writes_it() {
        let nodes = parse(
            "07c3 127.0.0.1:7004@17004,host slave e7d1 0 1426238317239 4 connected\n\
             67ed 127.0.0.1:7002@17002 master,fail? - 0 1426238316232 2 disconnected 5461-10922\n\
             e7d1 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-5460 16383 [93->-67ed]\n",
        )
        .unwrap();

        assert_eq!(nodes[0].primary_id.as_deref(), Some("e7d1"));
        assert!(nodes[0].is_healthy && !nodes[0].is_primary && !nodes[0].owns_any());
        assert!(!nodes[1].is_healthy && nodes[1].is_primary && nodes[1].owns(10_922));
        assert!(nodes[2].is_myself && nodes[2].is_healthy);
        assert_eq!(nodes[2].epoch, 1);
        assert!(nodes[2].owns(93) && nodes[2].owns(16_383) && !nodes[2].owns(5461));
        assert!(parse("07c3 127.0.0.1:7004@17004 slave").is_err());
    }
}
