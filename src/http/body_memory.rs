//! The memory that bodies take, of all connections together.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use axum_core::{body::Body, extract::Request};
use bytes::Bytes;
use http::header;
use hyper::body::{Body as _, Frame, SizeHint};
use model_package::Inputs;

/// Bodies up to this size are not counted. They are ordinary requests and answers, which large bodies must not keep out; the number of
/// connections bounds their memory.
const SMALL: usize = 16 * 1024;

/// How many bytes of memory a byte of a body stands for, while it is parsed or as the inputs that were read from it.
const MEMORY_PER_BYTE: usize = 8;

/// A limit of the bytes of request and response bodies that the process holds at once.
///
/// A request body counts as it arrives, until the request has been answered; an answer counts until it has been written to the socket.
#[derive(Debug)]
pub struct BodyMemory {
    free: AtomicUsize,
}

impl BodyMemory {
    /// A limit of this many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(bytes) })
    }

    /// Counts a request's body while it is read, and until the returned share is dropped. `None` for a small one. A body over `limit` is
    /// not kept, so it no longer counts. An encoded body has its share as an extension, for the decoded bytes.
    pub(super) fn count(self: &Arc<Self>, request: Request, limit: usize) -> (Request, Option<Share>) {
        let is_encoded = request.headers().contains_key(header::CONTENT_ENCODING);
        let size = request.body().size_hint().upper();
        if !is_encoded && size.is_some_and(|size| size <= SMALL as u64) {
            return (request, None);
        }
        let share = self.share();
        let mut request =
            request.map(|body| Body::new(Counted { body, share: share.clone(), limit, is_counted: true }));
        if is_encoded {
            request.extensions_mut().insert(share.clone());
        }
        (request, Some(share))
    }

    /// Counts an answer until its bytes are dropped, unless it is small. `None` if there is no room for it.
    pub(super) fn hold(self: &Arc<Self>, answer: Bytes) -> Option<Bytes> {
        if answer.len() <= SMALL {
            return Some(answer);
        }
        let share = self.share();
        share.take(answer.len()).then(|| Bytes::from_owner(Held { answer, _share: share }))
    }

    /// Counts inputs until the returned share is dropped, if they take more than their body of so many bytes. `None` if there is no room.
    pub(super) fn hold_inputs(self: &Arc<Self>, inputs: &Inputs, body: usize) -> Option<Option<Share>> {
        let bytes = (inputs.memory() / MEMORY_PER_BYTE).saturating_sub(body);
        if bytes <= SMALL {
            return Some(None);
        }
        let share = self.share();
        share.take(bytes).then_some(Some(share))
    }

    fn share(self: &Arc<Self>) -> Share {
        Share(Arc::new(Taken { memory: Arc::clone(self), bytes: AtomicUsize::new(0) }))
    }
}

/// The memory that one body takes. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Share(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    memory: Arc<BodyMemory>,
    bytes: AtomicUsize,
}

impl Share {
    /// Counts more bytes. Returns whether there was room for them.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let Taken { memory, bytes: taken } = &*self.0;
        let has_room = memory.free.fetch_update(Relaxed, Relaxed, |free| free.checked_sub(bytes)).is_ok();
        if has_room {
            taken.fetch_add(bytes, Relaxed);
        }
        has_room
    }

    fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    fn give_back(&self) {
        self.0.give_back();
    }
}

impl Taken {
    fn give_back(&self) {
        self.memory.free.fetch_add(self.bytes.swap(0, Relaxed), Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back();
    }
}

struct Held {
    answer: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

/// There is no room for a body.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes of bodies are in memory")]
struct NoRoom;

/// Whether a body could not be read because there was no room for it.
pub(super) fn is_no_room(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NoRoom>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A body that counts its bytes, and fails when there is no room for more. After that, and beyond its limit, it can still be read,
/// uncounted, by a reader that keeps nothing.
struct Counted {
    body: Body,
    share: Share,
    limit: usize,
    is_counted: bool,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum_core::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let length = frame.as_ref().and_then(|frame| Some(frame.as_ref().ok()?.data_ref()?.len()));
        let Some(length) = length.filter(|_| self.is_counted) else { return Poll::Ready(frame) };
        let is_too_large = self.share.bytes() + length > self.limit;
        if !is_too_large && self.share.take(length) {
            return Poll::Ready(frame);
        }
        self.is_counted = false;
        self.share.give_back();
        Poll::Ready(if is_too_large { frame } else { Some(Err(axum_core::Error::new(NoRoom))) })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
