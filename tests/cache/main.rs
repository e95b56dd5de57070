//! The cache on real Redis servers, alone and in a cluster, plain and over TLS, and broken in every way.

mod batch;
#[path = "../support/chaos/mod.rs"]
mod chaos;
mod cluster;
mod error_replies;
mod faults;
mod layouts;
mod redis;
mod secure;
mod single_flight;
#[path = "../support/mod.rs"]
mod support;
