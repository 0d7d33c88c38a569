//! What has to be harmless on a real server: processes and servers that are killed, connections
//! that are cut, memory that is full, clocks that step, slots that move.
//!
//! Each file is one subject. The rules of single verbs are in the behaviour suite, not here.

#[path = "../support/mod.rs"]
mod support;

mod books;
mod budgets;
mod call;
mod carriers;
mod child;
mod clock;
mod cluster;
mod crowds;
mod flows;
mod flushed;
mod follower;
mod full;
mod instances;
mod killed;
mod lab;
mod load;
mod lost;
mod replica;
mod replicated;
mod schedules;
mod shares;
mod site;
mod slices;
mod streams;
mod waits;
mod workers;
