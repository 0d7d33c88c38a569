//! What the tests on real servers share: servers, namespaces in them, and a look at what is stored.

#![allow(dead_code, reason = "each test target uses a part")]

mod budgets;
mod flows;
pub(crate) mod harness;
mod lanes;
pub(crate) mod proxy;
mod schedules;
pub(crate) mod servers;
pub(crate) mod store;
