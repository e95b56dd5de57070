//! Faults in the middle of a steady load: `tests/cache/faults.rs` runs every fault briefly, `benches/chaos.rs` runs every fault for
//! longer, and `benches/soak.rs` runs random faults.

pub mod fault;
pub mod load;
pub mod population;
pub mod world;
