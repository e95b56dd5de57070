//! The ids of a text, up to a limit.

/// The ids of tokens, up to the number that can be kept.
#[derive(Debug)]
pub(super) struct Ids {
    ids: Vec<u32>,
    /// `None` if all are needed.
    limit: Option<usize>,
}

impl Ids {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { ids: Vec::new(), limit }
    }

    pub(super) fn push(&mut self, id: u32) {
        self.ids.push(id);
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.ids.truncate(length);
    }

    pub(super) fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.ids.len() >= limit)
    }

    pub(super) fn into_vec(self) -> Vec<u32> {
        self.ids
    }
}
