//! Single flight: concurrent requests that need the same work share one execution of it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use prediction_cache::CacheKey;
use tokio::sync::watch;

/// Work in progress in this process, by key.
pub(super) struct Flights<T>(Mutex<HashMap<CacheKey, watch::Sender<Option<T>>>>);

/// Work in progress, whose result its followers await.
pub(super) struct Flight<T>(watch::Receiver<Option<T>>);

/// The obligation to do the work for all followers. Dropping it ends the flight, completed or not.
pub(super) struct Lead<T> {
    flights: Arc<Flights<T>>,
    key: CacheKey,
    result: watch::Sender<Option<T>>,
}

pub(super) enum Joined<T> {
    /// No such work is in progress: the caller does it.
    Lead(Lead<T>),
    /// Another request does it.
    Follow(Flight<T>),
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Flights<T> {
    /// Follows the flight for this key, or starts one and leads it.
    pub(super) fn join(self: &Arc<Self>, key: &CacheKey) -> Joined<T> {
        let mut flights = self.0.lock();
        if let Some(result) = flights.get(key) {
            return Joined::Follow(Flight(result.subscribe()));
        }
        let result = watch::Sender::new(None);
        flights.insert(key.clone(), result.clone());
        Joined::Lead(Lead { flights: Arc::clone(self), key: key.clone(), result })
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Flight<T>> {
        self.0.lock().get(key).map(|result| Flight(result.subscribe()))
    }
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Flight<T> {
    /// Waits for the result. `None` if the leader gave up.
    pub(super) async fn result(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<T> Lead<T> {
    /// Gives the result to all followers, including those that join before `self` is dropped.
    pub(super) fn complete(&self, result: T) {
        self.result.send_replace(Some(result));
    }

    /// Waits until there are no followers. Others may follow later.
    pub(super) async fn unfollowed(&self) {
        self.result.closed().await;
    }

    pub(super) fn is_followed(&self) -> bool {
        !self.result.is_closed()
    }
}

impl<T> Joined<T> {
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
            Joined::Follow(_) => panic!("another leads"),
        }
    }

    #[tokio::test]
    async fn followers_that_join_before_the_lead_ends_get_its_result() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let early = flights.get(&key(1)).expect("in progress");
        assert!(flights.get(&key(2)).is_none());
        leader.complete(7);
        let late = flights.join(&key(1)).flight();
        drop(leader);
        assert_eq!((early.result().await, late.result().await), (Some(7), Some(7)));
        lead(&flights);
    }

    #[tokio::test]
    async fn followers_of_a_lead_that_gives_up_are_notified_and_one_of_them_may_lead() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let follower = flights.get(&key(1)).expect("in progress");
        drop(leader);
        assert_eq!(follower.result().await, None);
        lead(&flights);
    }
}
