//! `token_pattern`: the subset of Python's regular expressions that defines words. Supported constructs mean what they mean in Python;
//! others are refused by name.

mod parser;

use super::{
    UnsupportedVectorizer,
    python::{is_digit, is_space, is_word},
};

#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Runs of at least `minimum` word characters: the default pattern, and `\w+`.
    Runs {
        minimum: usize,
    },
    Program(Program),
}

/// A pattern that matches at least one character.
#[derive(Clone, Debug)]
pub(super) struct Program(Vec<Instruction>);

#[derive(Clone, Debug)]
enum Instruction {
    One(Class),
    /// Continues at the first instruction, or at the second if that fails.
    Either(usize, usize),
    Jump(usize),
    /// Whether a word must begin or end here, or must not.
    Boundary(bool),
    Match,
}

/// A set of characters.
#[derive(Clone, Debug)]
struct Class {
    items: Vec<Item>,
    negated: bool,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Range(char, char),
    /// The characters of this kind (`true`), or all others.
    Word(bool),
    Digit(bool),
    Space(bool),
}

impl Class {
    fn contains(&self, c: char) -> bool {
        let holds = |item: &Item| match *item {
            Item::Range(first, last) => (first..=last).contains(&c),
            Item::Word(is) => is_word(c) == is,
            Item::Digit(is) => is_digit(c) == is,
            Item::Space(is) => is_space(c) == is,
        };
        self.items.iter().any(holds) != self.negated
    }
}

impl Pattern {
    pub(super) fn new(written: &str) -> Result<Self, UnsupportedVectorizer> {
        Ok(match written.trim_start_matches("(?u)") {
            r"\b\w\w+\b" => Self::Runs { minimum: 2 },
            r"\b\w+\b" | r"\w+" | r"\w{1,}" => Self::Runs { minimum: 1 },
            pattern => Self::Program(Program::new(pattern)?),
        })
    }

    /// Calls `word` with each match, as `re.findall` does.
    pub(super) fn find<'t>(&self, text: &'t str, mut word: impl FnMut(&'t str)) {
        match self {
            Self::Runs { minimum } => {
                let is_ascii_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                let (bytes, mut at) = (text.as_bytes(), 0);
                while at < bytes.len() {
                    let (start, mut count) = (at, 0);
                    while let Some(byte) = bytes.get(at) {
                        if byte.is_ascii() {
                            if !is_ascii_word(*byte) {
                                break;
                            }
                            at += 1;
                        } else {
                            match text[at..].chars().next() {
                                Some(c) if is_word(c) => at += c.len_utf8(),
                                _ => break,
                            }
                        }
                        count += 1;
                    }
                    if count >= *minimum && count > 0 {
                        word(&text[start..at]);
                    }
                    // The character that ended the run.
                    at += text[at..].chars().next().map_or(0, char::len_utf8);
                }
            }
            Self::Program(program) => program.find(text, word),
        }
    }
}

impl Program {
    fn find<'t>(&self, text: &'t str, mut word: impl FnMut(&'t str)) {
        let characters: Vec<(usize, char)> = text.char_indices().collect();
        // An instruction that has failed at a position fails there again, so the time is bounded by the product of both numbers.
        let mut tried = vec![false; self.0.len() * (characters.len() + 1)];
        let offset = |at: usize| characters.get(at).map_or(text.len(), |(offset, _)| *offset);
        let mut at = 0;
        while at < characters.len() {
            match self.end_of_match(&characters, at, &mut tried) {
                Some(end) => {
                    word(&text[offset(at)..offset(end)]);
                    // An instruction that succeeded here may succeed again.
                    tried[end * self.0.len()..][..self.0.len()].fill(false);
                    at = end;
                }
                None => at += 1,
            }
        }
    }

    fn end_of_match(&self, characters: &[(usize, char)], start: usize, tried: &mut [bool]) -> Option<usize> {
        let is_word_at = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|(_, c)| is_word(*c));
        let mut waiting = vec![(0, start)];
        while let Some((mut instruction, mut at)) = waiting.pop() {
            loop {
                if std::mem::replace(&mut tried[at * self.0.len() + instruction], true) {
                    break;
                }
                match &self.0[instruction] {
                    Instruction::One(class) => match characters.get(at) {
                        Some((_, c)) if class.contains(*c) => (instruction, at) = (instruction + 1, at + 1),
                        _ => break,
                    },
                    Instruction::Either(first, second) => {
                        waiting.push((*second, at));
                        instruction = *first;
                    }
                    Instruction::Jump(to) => instruction = *to,
                    Instruction::Boundary(is) => {
                        if (is_word_at(at.checked_sub(1)) != is_word_at(Some(at))) != *is {
                            break;
                        }
                        instruction += 1;
                    }
                    Instruction::Match => return Some(at),
                }
            }
        }
        None
    }
}
