//! What the connection to Valkey promises: each request is sent once, every call ends in time with
//! an error that says what to do, and after a loss everything goes on by itself.
//!
//! A proxy between the client and a real server loses, halves and swallows on command. What the
//! operations do with repeats is not looked at here.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod config;
mod errors;
mod fixture;
mod hole;
mod lost;
mod moved;
mod script;
mod stopped;
mod tls;
mod waits;
