//! Reads a pattern into the program that finds its matches.

use std::{iter::Peekable, str::Chars};

use super::{Class, Instruction, Item, Program};
use crate::vectorizer::UnsupportedVectorizer;

/// The most instructions of a compiled pattern: bounds the time and the memory of a match.
const MAX_INSTRUCTIONS: usize = 1_000;

impl Program {
    pub(super) fn new(pattern: &str) -> Result<Self, UnsupportedVectorizer> {
        let mut parser = Parser { rest: pattern.chars().peekable(), program: Vec::new(), pattern };
        // One group around everything is what `findall` returns then.
        let inner = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        if let Some(inner) = inner
            && !inner.starts_with('?')
            && !inner.contains(['(', ')'])
        {
            parser.rest = inner.chars().peekable();
        }
        let shortest = parser.alternatives()?;
        if parser.rest.peek().is_some() {
            return Err(parser.refuse("an unbalanced )"));
        }
        if shortest == 0 {
            return Err(parser.refuse("a match of no characters"));
        }
        parser.push(Instruction::Match)?;
        Ok(Self(parser.program))
    }
}

/// Reads a pattern. Each method returns the smallest number of characters that the part it reads can match.
struct Parser<'p> {
    rest: Peekable<Chars<'p>>,
    program: Vec<Instruction>,
    pattern: &'p str,
}

impl Parser<'_> {
    fn refuse(&self, construct: impl Into<String>) -> UnsupportedVectorizer {
        UnsupportedVectorizer::Pattern { pattern: self.pattern.to_owned(), construct: construct.into() }
    }

    fn push(&mut self, instruction: Instruction) -> Result<(), UnsupportedVectorizer> {
        if self.program.len() == MAX_INSTRUCTIONS {
            return Err(self.refuse("more repetitions than supported"));
        }
        self.program.push(instruction);
        Ok(())
    }

    /// `a|b|c`
    fn alternatives(&mut self) -> Result<usize, UnsupportedVectorizer> {
        let start = self.program.len();
        let mut shortest = self.sequence()?;
        let mut ends = Vec::new();
        let mut last = start;
        while self.rest.next_if_eq(&'|').is_some() {
            self.insert_choice(last, self.program.len() + 2)?;
            ends.push(self.program.len());
            self.push(Instruction::Jump(0))?;
            last = self.program.len();
            shortest = shortest.min(self.sequence()?);
        }
        let end = self.program.len();
        for position in ends {
            self.program[position] = Instruction::Jump(end);
        }
        Ok(shortest)
    }

    /// Inserts a choice between the instructions at `position` and at `other`, and shifts those that follow.
    fn insert_choice(&mut self, position: usize, other: usize) -> Result<(), UnsupportedVectorizer> {
        self.push(Instruction::Match)?;
        for instruction in &mut self.program[position..] {
            match instruction {
                Instruction::Either(first, second) => (*first, *second) = (*first + 1, *second + 1),
                Instruction::Jump(to) => *to += 1,
                Instruction::One(_) | Instruction::Boundary(_) | Instruction::Match => {}
            }
        }
        self.program.pop();
        self.program.insert(position, Instruction::Either(position + 1, other));
        Ok(())
    }

    fn sequence(&mut self) -> Result<usize, UnsupportedVectorizer> {
        let mut shortest = 0_usize;
        while let Some(next) = self.rest.peek()
            && !matches!(next, '|' | ')')
        {
            shortest = shortest.saturating_add(self.repeated()?);
        }
        Ok(shortest)
    }

    /// One item with its quantifier.
    fn repeated(&mut self) -> Result<usize, UnsupportedVectorizer> {
        let start = self.program.len();
        let length = self.item()?;
        let (minimum, maximum) = match self.rest.next_if(|c| matches!(c, '*' | '+' | '?' | '{')) {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some(_) => self.bounds()?,
            None => return Ok(length),
        };
        match self.rest.peek() {
            Some('?') => return Err(self.refuse("a lazy quantifier")),
            Some('+') => return Err(self.refuse("a possessive quantifier")),
            Some('*' | '{') => return Err(self.refuse("a quantifier of a quantifier")),
            _ => {}
        }
        if length == 0 {
            return Err(self.refuse("a quantifier of what may match no characters"));
        }
        self.repeat(start, minimum, maximum)?;
        Ok(length.saturating_mul(minimum))
    }

    /// `3}`, `3,}`, `,3}` or `3,5}`.
    fn bounds(&mut self) -> Result<(usize, Option<usize>), UnsupportedVectorizer> {
        let number = |parser: &mut Self| {
            let mut digits = String::new();
            while let Some(digit) = parser.rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().ok()
        };
        let minimum = number(self);
        let bounds = if self.rest.next_if_eq(&',').is_some() {
            let maximum = number(self);
            (minimum.unwrap_or(0), maximum)
        } else {
            (minimum.unwrap_or(0), minimum)
        };
        let is_ordered = bounds.1.is_none_or(|maximum| maximum >= bounds.0 && maximum > 0);
        if self.rest.next() != Some('}') || (minimum, bounds.1) == (None, None) || !is_ordered {
            return Err(self.refuse("an unusual { }"));
        }
        Ok(bounds)
    }

    /// Repeats the instructions from `start` on.
    fn repeat(&mut self, start: usize, minimum: usize, maximum: Option<usize>) -> Result<(), UnsupportedVectorizer> {
        let once: Vec<Instruction> = self.program.drain(start..).collect();
        let again = |parser: &mut Self| {
            let offset = parser.program.len() as isize - start as isize;
            let moved = |to: usize| (to as isize + offset) as usize;
            once.iter().try_for_each(|instruction| {
                parser.push(match instruction {
                    Instruction::Either(first, second) => Instruction::Either(moved(*first), moved(*second)),
                    Instruction::Jump(to) => Instruction::Jump(moved(*to)),
                    other => other.clone(),
                })
            })
        };
        for _ in 0..minimum {
            again(self)?;
        }
        let Some(maximum) = maximum else {
            let choice = self.program.len();
            self.push(Instruction::Match)?;
            again(self)?;
            self.push(Instruction::Jump(choice))?;
            self.program[choice] = Instruction::Either(choice + 1, self.program.len());
            return Ok(());
        };
        let mut choices = Vec::new();
        for _ in minimum..maximum {
            choices.push(self.program.len());
            self.push(Instruction::Match)?;
            again(self)?;
        }
        let end = self.program.len();
        for choice in choices {
            self.program[choice] = Instruction::Either(choice + 1, end);
        }
        Ok(())
    }

    fn item(&mut self) -> Result<usize, UnsupportedVectorizer> {
        let class = |item: Item| Class { items: vec![item], negated: false };
        let read = match self.rest.next() {
            None => return Err(self.refuse("an end where an item is expected")),
            Some('(') => {
                if (self.rest.next(), self.rest.next()) != (Some('?'), Some(':')) {
                    return Err(self.refuse("a group other than (?:…), or a flag"));
                }
                let shortest = self.alternatives()?;
                if self.rest.next() != Some(')') {
                    return Err(self.refuse("an unbalanced ("));
                }
                return Ok(shortest);
            }
            Some('[') => self.set()?,
            Some('.') => Class { items: vec![Item::Range('\n', '\n')], negated: true },
            Some('^' | '$') => return Err(self.refuse("an anchor")),
            Some('*' | '+' | '?' | '{') => return Err(self.refuse("a quantifier without an item")),
            Some('\\') => match self.rest.peek() {
                Some('b' | 'B') => {
                    let is = self.rest.next() == Some('b');
                    self.push(Instruction::Boundary(is))?;
                    return Ok(0);
                }
                _ => class(self.escape()?),
            },
            Some(c) => class(Item::Range(c, c)),
        };
        self.push(Instruction::One(read))?;
        Ok(1)
    }

    /// The item after a backslash.
    fn escape(&mut self) -> Result<Item, UnsupportedVectorizer> {
        Ok(match self.rest.next() {
            Some('w') => Item::Word(true),
            Some('W') => Item::Word(false),
            Some('d') => Item::Digit(true),
            Some('D') => Item::Digit(false),
            Some('s') => Item::Space(true),
            Some('S') => Item::Space(false),
            Some('n') => Item::Range('\n', '\n'),
            Some('t') => Item::Range('\t', '\t'),
            Some('r') => Item::Range('\r', '\r'),
            Some(c) if !c.is_alphanumeric() => Item::Range(c, c),
            Some(c) => return Err(self.refuse(format!("\\{c}"))),
            None => return Err(self.refuse("a \\ at its end")),
        })
    }

    /// A set of characters, after its bracket.
    fn set(&mut self) -> Result<Class, UnsupportedVectorizer> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut items = Vec::new();
        loop {
            let item = match self.rest.next() {
                None => return Err(self.refuse("an unbalanced [")),
                // The first one is a character.
                Some(']') if !items.is_empty() => return Ok(Class { items, negated }),
                Some('\\') => self.escape()?,
                Some(c) => Item::Range(c, c),
            };
            let mut ahead = self.rest.clone();
            let range = match (item, ahead.next(), ahead.next()) {
                (Item::Range(first, _), Some('-'), Some(last)) if last != ']' => Some((first, last)),
                _ => None,
            };
            items.push(match range {
                None => item,
                Some((first, last)) => {
                    self.rest.nth(1);
                    let last = if last == '\\' { self.escape()? } else { Item::Range(last, last) };
                    match last {
                        Item::Range(last, _) if first <= last => Item::Range(first, last),
                        _ => return Err(self.refuse("an unusual range")),
                    }
                }
            });
        }
    }
}
