//! The cache on real Redis servers: standalone and in a cluster, plain and over TLS, and with every fault.

mod batch;
mod bypass;
mod cluster;
mod contributions;
mod dynamodb;
mod error_replies;
mod failover;
mod faults;
mod gain;
mod inspecting;
mod layouts;
mod lost_replies;
mod memory;
mod redis;
mod reporting;
mod secure;
mod sentinel;
mod signing;
mod single_flight;
mod stats;
mod strategy;
mod tenants;
mod tensors;
mod tools;
mod warming;
mod workers;
