//! Random damage to a text.

use std::fmt;

use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// Changes to a text; the result need not be valid UTF-8.
#[derive(Clone)]
pub(crate) enum Edit {
    Insert(Index, Bytes),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Flip(Index, u8),
}

/// Short, because a shrunk failure shows the text itself.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(_, bytes) => write!(f, "Insert({} bytes)", bytes.len()),
            Self::Remove(_, length) => write!(f, "Remove({length} bytes)"),
            Self::Repeat(_, length, times) => write!(f, "Repeat({length} bytes, {times} times)"),
            Self::Flip(_, bits) => write!(f, "Flip({bits:#x})"),
        }
    }
}

pub(crate) fn any_edit() -> impl Strategy<Value = Edit> {
    let token = select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "\\",
        "\\u0000",
        "\\ud800",
        "null",
        "true",
        "NaN",
        "1e999",
        "-0",
        ".0",
        "e1",
        "\u{feff}",
        "\u{e4}",
        "\u{1f980}",
        " ",
        "\r\n",
        "//",
        "\"age_in_years\":30,",
    ]);
    prop_oneof![
        (any::<Index>(), token).prop_map(|(at, token)| Edit::Insert(at, Bytes::from_static(token.as_bytes()))),
        (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert(at, bytes.into())),
        (any::<Index>(), 1usize..20).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1usize..20, 1usize..300).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Edit::Flip(at, bits)),
    ]
}

pub(crate) fn edited(text: &str, edits: &[Edit]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for edit in edits {
        let at = |index: &Index| index.index(text.len() + 1);
        let end = |at: usize, length: usize| text.len().min(at + length);
        match edit {
            Edit::Insert(index, bytes) => {
                let at = at(index);
                text.splice(at..at, bytes.iter().copied());
            }
            Edit::Remove(index, length) => {
                let at = at(index);
                text.drain(at..end(at, *length));
            }
            Edit::Repeat(index, length, times) => {
                let at = at(index);
                let repeated = text[at..end(at, *length)].repeat(*times);
                text.splice(at..at, repeated);
            }
            Edit::Flip(index, bits) => {
                let at = at(index);
                text[at..].iter_mut().take(1).for_each(|byte| *byte ^= bits);
            }
        }
    }
    text
}
