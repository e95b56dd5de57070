//! A steady load, the faults that strike in the middle of it, and what is counted: `tests/cache/faults.rs` runs every fault in
//! short, `benches/chaos.rs` at length, `benches/soak.rs` at random.

#![allow(dead_code, reason = "each of them uses a part of this")]
#![allow(unreachable_pub, reason = "each of them includes this as a private module")]

pub mod fault;
pub mod load;
pub mod population;
pub mod world;
