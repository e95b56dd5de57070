//! The cache on real Redis servers, alone and in a cluster, plain and over TLS, and broken in every way.

mod batch;
mod cluster;
mod error_replies;
mod faults;
mod inspecting;
mod layouts;
mod redis;
mod reporting;
mod secure;
mod single_flight;
mod strategy;
mod tenants;
mod tools;
mod warming;
mod workers;
