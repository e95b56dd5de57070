//! A steady load, the faults that strike in the middle of it, and what is counted: `tests/cache/faults.rs` runs every fault in
//! short, `benches/chaos.rs` at length, `benches/soak.rs` at random.

pub mod fault;
pub mod load;
pub mod population;
pub mod world;
