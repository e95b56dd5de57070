//! Belady's optimum: the most hits possible for a cache of a given number of entries that knows all later requests.

use std::collections::BinaryHeap;

/// The number of requests that the optimum answers with room for `capacity` entries, starting empty.
///
/// It keeps the entries that are requested again soonest. Like `noeviction`, it may also decline to store a new one, so that no policy
/// can be better.
pub(crate) fn most_hits(requests: &[u32], capacity: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let entries = requests.iter().max().map_or(0, |last| *last as usize + 1);
    let again = asked_again(requests, entries);
    // When each stored entry is requested next; `None` if it is not stored. The heap may contain times in the past.
    let mut stored: Vec<Option<u32>> = vec![None; entries];
    let mut latest = BinaryHeap::new();
    let (mut held, mut hits) = (0, 0);
    for (request, next) in requests.iter().zip(again) {
        let entry = *request as usize;
        if stored[entry].take().is_some() {
            hits += 1;
            held -= 1;
        }
        let Some(next) = next else { continue };
        stored[entry] = Some(next);
        held += 1;
        latest.push((next, *request));
        while held > capacity {
            let Some((time, candidate)) = latest.pop() else { break };
            if stored[candidate as usize] == Some(time) {
                stored[candidate as usize] = None;
                held -= 1;
            }
        }
    }
    hits
}

/// For each request, the position of the next one for the same entry.
fn asked_again(requests: &[u32], entries: usize) -> Vec<Option<u32>> {
    let mut next_of = vec![None; entries];
    let mut again = vec![None; requests.len()];
    for (position, request) in requests.iter().enumerate().rev() {
        again[position] = next_of[*request as usize].replace(position as u32);
    }
    again
}
