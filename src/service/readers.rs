//! Reading bodies that take long: on threads apart from the model's, so that hits do not wait for runs.

use std::{
    future,
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use model_package::Signature;

use super::PredictionService;

impl PredictionService {
    /// Reads a body of so many bytes: on a thread of its own if that takes long. `None` if too many requests wait for one, or if the
    /// client disconnected before one was free.
    pub async fn read_body<T: Send + 'static>(
        &self,
        bytes: usize,
        read: impl FnOnce(&Signature) -> T + Send + 'static,
    ) -> Option<T> {
        let Some(readers) = self.readers.as_ref().filter(|_| self.model.signature().is_slow_to_read(bytes)) else {
            return Some(read(self.model.signature()));
        };
        let _place = readers.admit()?;
        let model = Arc::clone(&self.model);
        // A panic belongs to the request.
        let read = move || panic::catch_unwind(AssertUnwindSafe(|| read(model.signature())));
        let read = readers.run(read, future::ready(())).await?;
        Some(read.unwrap_or_else(|panic| panic::resume_unwind(panic)))
    }
}

/// The number of threads that read bodies. Together, they take at most half of the memory, unless one takes more.
pub(super) fn number(threads: NonZeroUsize, memory: Option<u64>, each: u64) -> NonZeroUsize {
    let most = memory.and_then(|memory| (memory / 2).checked_div(each));
    let most = most.map_or(threads.get(), |most| usize::try_from(most).unwrap_or(usize::MAX));
    NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN).min(threads)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    #[test]
    fn images_are_decoded_by_as_many_threads_as_half_of_the_memory_suffices_for() {
        let number = |memory, each| super::number(NonZeroUsize::new(8).expect("not 0"), memory, each).get();
        assert_eq!(number(None, 1 << 28), 8);
        assert_eq!(number(Some(1 << 28), 0), 8, "no images");
        assert_eq!(number(Some(1 << 28), 1 << 25), 4);
        assert_eq!(number(Some(1 << 28), 1 << 28), 1);
        assert_eq!(number(Some(u64::MAX), 1), 8);
    }
}
