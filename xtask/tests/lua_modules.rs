//! Lua modules that need no server, against what they retell.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use ff_engine::machine::{Dependencies, JoinDecision};
use ff_types::backend::CapabilitySet;
use ff_types::{FlowId, LaneId};
use mlua::{Function, Lua, Table, Value};
use proptest::prelude::*;
use xtask::workspace_root;

/// Lua 5.1 that finds the modules where they are, and has no server.
fn lua() -> Lua {
    let lua = Lua::new();
    let path = workspace_root().join("lua/lib/?.lua");
    let package: Table = lua.globals().get("package").unwrap();
    package.set("path", path.to_str().unwrap()).unwrap();
    lua
}

fn module(lua: &Lua, name: &str) -> Table {
    lua.load(format!("return require(\"{name}\")")).eval().unwrap()
}

fn function(lua: &Lua, name: &str, member: &str) -> Function {
    module(lua, name).get(member).unwrap()
}

/// A record in hand with these fields.
fn record(lua: &Lua, fields: &[(&str, &str)]) -> Table {
    let (record, all) = (lua.create_table().unwrap(), lua.create_table().unwrap());
    for (name, value) in fields {
        all.set(*name, *value).unwrap();
    }
    record.set("f", all).unwrap();
    record
}

#[test]
fn whole_numbers_keep_every_digit() {
    let lua = lua();
    let text = function(&lua, "number", "text");
    for number in [0_i64, 1, 99_999_999_999_999, 253_402_300_799_999, (1 << 53) - 1] {
        let digits: String = text.call(number).unwrap();
        assert_eq!(digits, number.to_string());
    }
}

/// The decision of a node with this join by its counters.
fn decided(lua: &Lua, join: &str, quorum: u32, counts: [u32; 3]) -> String {
    let [total, satisfied, impossible] = counts;
    let node = format!("{:032x} 0 {join} {quorum} l key", 1);
    let edges = format!("o {total} {satisfied} {impossible} 0 0");
    let record = record(lua, &[("nd", &node), ("dp", &edges)]);
    function(lua, "joins", "decided").call(record).unwrap()
}

#[test]
fn a_join_is_decided_by_its_counters() {
    let lua = lua();
    for total in 1..=4_u32 {
        for satisfied in 0..=total {
            for impossible in 0..=total - satisfied {
                let counts = [total, satisfied, impossible];
                let needs = |needed: u32| match () {
                    () if satisfied >= needed => "f",
                    () if total - impossible < needed => "s",
                    () => "o",
                };
                assert_eq!(decided(&lua, "a", 0, counts), needs(total), "{counts:?}");
                assert_eq!(decided(&lua, "y", 0, counts), needs(1), "{counts:?}");
                for quorum in 1..=total {
                    assert_eq!(decided(&lua, "q", quorum, counts), needs(quorum), "{counts:?}");
                }
            }
        }
    }
    let without = Dependencies::open_edges(0).decision;
    assert_eq!((decided(&lua, "q", 1, [0, 0, 0]).as_str(), without), ("f", JoinDecision::Fired));
}

fn tokens() -> impl Strategy<Value = CapabilitySet> {
    let token = proptest::sample::select(vec!["a", "b", "gpu", "gpu-2", "x86"]);
    prop::collection::btree_set(token, 0..5)
        .prop_map(|tokens| tokens.into_iter().collect::<Vec<_>>().join(",").parse().unwrap())
}

proptest! {
    #[test]
    fn members_have_the_ids_that_the_flow_gives(ms: u64, sequence: u16, shard: u16, random: u64, index: u16) {
        let lua = lua();
        let flow = FlowId::from_parts(ms, sequence, shard, random);

        let id: String =
            function(&lua, "member", "id").call((flow.to_string(), index)).unwrap();

        prop_assert_eq!(id, flow.member(index).to_string());
    }

    #[test]
    fn an_offer_covers_its_subsets(offered in tokens(), required in tokens()) {
        let lua = lua();
        let offer: Value =
            function(&lua, "capabilities", "offer").call(offered.as_str()).unwrap();

        let covers: bool =
            function(&lua, "capabilities", "covers").call((offer, required.as_str())).unwrap();

        prop_assert_eq!(covers, required.is_subset_of(&offered));
    }

    #[test]
    fn places_are_ordered_by_priority_and_then_by_time(
        one in (-100_i8..=100, 0_u64..1 << 45),
        other in (-100_i8..=100, 0_u64..1 << 45),
    ) {
        let lua = lua();
        let score = |(priority, at): (i8, u64)| -> f64 {
            let fields = [("pr", priority.to_string()), ("ra", at.to_string())];
            let fields = [(fields[0].0, fields[0].1.as_str()), (fields[1].0, fields[1].1.as_str())];
            function(&lua, "placement", "score").call(record(&lua, &fields)).unwrap()
        };
        let rank = |(priority, at): (i8, u64)| (-i16::from(priority), at);

        prop_assert_eq!(score(one).total_cmp(&score(other)), rank(one).cmp(&rank(other)));
    }
}

#[test]
fn keys_of_a_partition_share_its_braces() {
    let lua = lua();
    let lane = LaneId::new("a{b}").unwrap();
    let key: String =
        function(&lua, "keys", "lane").call(("ff:{default/0}:", lane.as_str())).unwrap();
    assert_eq!(key, "ff:{default/0}:l:a{b}");
}
