//! Work that is under way, so that requests which need the same wait for it instead of doing it again (*single flight*).

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use prediction_cache::CacheKey;
use tokio::sync::watch;

/// What is under way in this process, by key.
pub(super) struct Flights<T>(Mutex<HashMap<CacheKey, Flight<T>>>);

/// A piece of work that another request does.
pub(super) struct Flight<T>(watch::Receiver<Option<T>>);

/// The obligation to do a piece of work for everybody who waits. Dropping it ends the flight, landed or not.
pub(super) struct Lead<T> {
    flights: Arc<Flights<T>>,
    key: CacheKey,
    result: watch::Sender<Option<T>>,
}

pub(super) enum Joined<T> {
    /// Nobody does it yet: the caller does.
    Lead(Lead<T>),
    /// Somebody does.
    Follow(Flight<T>),
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Flights<T> {
    /// Follows what is under way for this key, or leads.
    pub(super) fn join(self: &Arc<Self>, key: &CacheKey) -> Joined<T> {
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(key) {
            return Joined::Follow(flight.clone());
        }
        let (result, receiver) = watch::channel(None);
        flights.insert(key.clone(), Flight(receiver));
        Joined::Lead(Lead { flights: Arc::clone(self), key: key.clone(), result })
    }

    /// What is under way for this key.
    pub(super) fn under_way(&self, key: &CacheKey) -> Option<Flight<T>> {
        self.0.lock().get(key).cloned()
    }
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Flight<T> {
    /// Waits for the result. `None` if whoever led has given up.
    pub(super) async fn landed(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<T> Lead<T> {
    /// Gives the result to everybody who waits, and to those who join until this is dropped.
    pub(super) fn land(&self, result: T) {
        self.result.send_replace(Some(result));
    }
}

impl<T> Joined<T> {
    /// The flight, whoever leads.
    pub(super) fn flight(&self) -> Flight<T> {
        match self {
            Self::Lead(lead) => Flight(lead.result.subscribe()),
            Self::Follow(flight) => flight.clone(),
        }
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prediction_cache::{KeySpace, Layout, Namespace};

    fn key(input: u32) -> CacheKey {
        KeySpace::new(&Namespace::default(), Layout::String, "model").key("decision", input)
    }

    fn lead(flights: &Arc<Flights<u32>>) -> Lead<u32> {
        match flights.join(&key(1)) {
            Joined::Lead(lead) => lead,
            Joined::Follow(_) => panic!("somebody leads"),
        }
    }

    #[tokio::test]
    async fn whoever_joins_before_the_lead_ends_gets_its_result() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let early = flights.under_way(&key(1)).expect("it is under way");
        assert!(flights.under_way(&key(2)).is_none());
        leader.land(7);
        let late = flights.join(&key(1)).flight();
        drop(leader);
        assert_eq!((early.landed().await, late.landed().await), (Some(7), Some(7)));
        lead(&flights);
    }

    #[tokio::test]
    async fn those_who_follow_a_lead_that_gives_up_are_told_and_one_of_them_may_lead() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let follower = flights.under_way(&key(1)).expect("it is under way");
        drop(leader);
        assert_eq!(follower.landed().await, None);
        lead(&flights);
    }
}
