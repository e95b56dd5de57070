//! Replies of Redis that are lost or repeated.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

/// What happens to one reply of Redis. All later replies on its connection then reach other commands than their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    Lost,
    Repeated,
}

/// A mishap to come.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub(super) mishap: Mishap,
    /// The number of replies before it.
    pub(super) others: usize,
    /// The number of replies before the one after it, if it comes again.
    pub(super) again: Option<usize>,
}

pub(super) type NextMishap = Arc<Mutex<Option<Next>>>;

/// The chunk, from which the reply to which the mishap happens is missing, or in which it is twice.
pub(super) fn with_mishap<'a>(chunk: &'a [u8], next: &NextMishap) -> Cow<'a, [u8]> {
    let mut next = next.lock().expect("not poisoned");
    if next.is_none() {
        return chunk.into();
    }
    let (mut forwarded, mut start) = (Vec::new(), 0);
    while let Some(Next { mishap, others, again }) = *next
        && let Some(end) = reply_end(chunk, start)
    {
        let times = match (others, mishap) {
            (1.., _) => 1,
            (0, Mishap::Lost) => 0,
            (0, Mishap::Repeated) => 2,
        };
        forwarded.extend(chunk[start..end].repeat(times));
        start = end;
        *next = match others {
            0 => again.map(|others| Next { mishap, others, again }),
            _ => Some(Next { mishap, others: others - 1, again }),
        };
    }
    forwarded.extend(&chunk[start..]);
    forwarded.into()
}

/// The end of the reply that starts at `start`, if it is complete.
fn reply_end(replies: &[u8], start: usize) -> Option<usize> {
    let line = replies.get(start..)?.windows(2).position(|end| end == b"\r\n")?;
    let (kind, number) = replies[start..start + line].split_first()?;
    let after = start + line + 2;
    let number = || std::str::from_utf8(number).ok()?.parse::<i64>().ok();
    match kind {
        b'$' => {
            let bytes = usize::try_from(number()?).map_or(0, |bytes| bytes + 2);
            Some(after + bytes).filter(|end| *end <= replies.len())
        }
        b'*' => (0..number()?).try_fold(after, |at, _| reply_end(replies, at)),
        _ => Some(after),
    }
}
