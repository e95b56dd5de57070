//! The service as its clients and operators see it, over plain HTTP and as a Lambda function, and the documents about it.

mod after_response;
mod api;
mod base_path;
mod batch;
mod concurrent;
mod connections;
mod conventions;
mod documents;
mod emitted;
mod events;
mod gzip;
mod hostile_bodies;
mod invocations;
mod lambda;
mod large_answers;
mod logs;
mod memory;
mod metrics;
mod openapi;
mod problems;
mod shutdown;
mod slow_clients;
mod start;
mod stuck_logs;
mod traces;
mod workers;
