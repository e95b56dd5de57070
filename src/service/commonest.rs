//! The inputs that are asked for most, counted in bounded memory.

use std::collections::HashMap;

use parking_lot::Mutex;

/// The number of keys that are counted. Each is at most a few hundred bytes long.
const COUNTED: usize = 256;

/// Counts keys with the algorithm *space-saving* (Metwally et al., 2005): a new key takes the place of the one with the smallest count, and
/// its count with it. A key that makes up more than one in `COUNTED` requests is always among those counted.
#[derive(Default)]
pub struct CommonestInputs(Mutex<HashMap<Box<str>, Count>>);

#[derive(Clone, Copy)]
struct Count {
    at_most: u64,
    /// What the key may have taken over from others.
    inherited: u64,
}

impl CommonestInputs {
    pub(super) fn count(&self, key: &str, times: u64) {
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(key) {
            count.at_most += times;
            return;
        }
        let mut inherited = 0;
        if counts.len() >= COUNTED {
            let least = counts.iter().min_by_key(|(_, count)| count.at_most).map(|(key, count)| (key.clone(), *count));
            if let Some((least, count)) = least {
                counts.remove(&least);
                inherited = count.at_most;
            }
        }
        counts.insert(key.into(), Count { at_most: inherited + times, inherited });
    }

    /// The `number` keys that were counted most often, each with the least number of times that it was.
    pub fn most_frequent(&self, number: usize) -> Vec<(Box<str>, u64)> {
        let counts = self.0.lock().iter().map(|(key, count)| (key.clone(), count.at_most - count.inherited)).collect();
        let mut counts: Vec<_> = counts;
        counts.sort_by(|(one, many), (other, few)| few.cmp(many).then_with(|| one.cmp(other)));
        counts.truncate(number);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly_and_in_descending_order() {
        let inputs = CommonestInputs::default();
        for (key, times) in [("b", 2), ("a", 1), ("c", 3), ("b", 4), ("d", 1)] {
            inputs.count(key, times);
        }
        let found: Vec<_> =
            inputs.most_frequent(3).into_iter().map(|(key, times)| (String::from(key), times)).collect();
        assert_eq!(found, [("b".to_owned(), 6), ("c".to_owned(), 3), ("a".to_owned(), 1)]);
    }

    #[test]
    fn frequent_keys_are_found_among_many_others_in_bounded_memory() {
        let inputs = CommonestInputs::default();
        for n in 0..20_000_u64 {
            inputs.count(&format!("rare {n}"), 1);
            if n % 20 < 3 {
                inputs.count(&format!("common {}", n % 20), 1);
            }
        }
        assert_eq!(inputs.0.lock().len(), COUNTED);
        let found = inputs.most_frequent(3);
        for (key, times) in found {
            assert!(key.starts_with("common "), "{key}");
            assert!((800..=1_000).contains(&times), "{key} {times}: at most the true number");
        }
    }
}
