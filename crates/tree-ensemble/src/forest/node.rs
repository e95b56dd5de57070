//! Nodes in memory, in pre-order: a branch's true child is in the next slot.
//!
//! Every comparison becomes `x <= value` at load: `<` by taking the next smaller value, `>` and `>=` by swapping the children. (Every
//! comparison with a missing value is false, so the side of missing values is swapped too.)
//!
//! A leaf has a step of 0, so several trees can be walked in lockstep without testing which have reached a leaf.

use crate::number::Number;

/// A slot of a forest: a branch with a test and a distance to its false child, or a leaf with a value and a payload.
pub(crate) trait Node: Copy {
    type Value: Number;

    const MAX_FEATURE: u32;
    /// The largest distance or payload.
    const MAX_PAYLOAD: u32;

    fn branch(value: Self::Value, test: Test, feature: u32) -> Self;
    /// Completes a branch with the distance to its false child.
    fn set_skip(&mut self, skip: u32);
    fn leaf(value: Self::Value, payload: u32) -> Self;
    fn value(self) -> Self::Value;
    fn payload(self) -> u32;
    /// The walk's step for this row if the test is `x <= value`: 1, the distance to the false child, or 0 for a leaf. `MISSING`: whether
    /// a missing value may go to a true child.
    fn step<const MISSING: bool>(self, row: &[Self::Value]) -> u32;
}

/// A branch's test, converted to the form of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) kind: Kind,
    /// Whether a missing value goes to the true child.
    pub(crate) missing: bool,
    /// Whether the file's comparison was `<` or `>=`, which the conversion of a float32 threshold to float64 depends on.
    pub(crate) strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    LessOrEqual,
    Equal,
    /// The value is the position of the set.
    Member,
    /// Always goes to the false child: a subtree that another branch already contains.
    Jump,
}

const BRANCH: u32 = 1 << 31;
const MISSING_TRUE: u32 = 1 << 30;

/// 8 bytes for float32, 12 for float64: without padding, large forests in float64 run faster. Has no bits for the kind of test: all are
/// `x <= value`.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
pub(crate) struct Narrow<T> {
    value: T,
    /// From the highest bit: branch 1 bit, missing 1, distance or payload 20, feature 10.
    link: u32,
}

impl<T: Number> Narrow<T> {
    pub(crate) fn is_branch(self) -> bool {
        self.link & BRANCH != 0
    }

    pub(crate) fn with_value<U>(self, value: U) -> Narrow<U> {
        Narrow { value, link: self.link }
    }
}

const FEATURE_BITS: u32 = 10;
const FEATURE_MASK: u32 = (1 << FEATURE_BITS) - 1;
const PAYLOAD_MASK: u32 = (1 << 20) - 1;

impl<T: Number> Node for Narrow<T> {
    type Value = T;

    const MAX_FEATURE: u32 = FEATURE_MASK;
    const MAX_PAYLOAD: u32 = PAYLOAD_MASK;

    fn branch(value: T, test: Test, feature: u32) -> Self {
        Self { value, link: BRANCH | if test.missing { MISSING_TRUE } else { 0 } | feature }
    }

    fn set_skip(&mut self, skip: u32) {
        self.link |= skip << FEATURE_BITS;
    }

    fn leaf(value: T, payload: u32) -> Self {
        Self { value, link: payload << FEATURE_BITS }
    }

    fn value(self) -> T {
        self.value
    }

    fn payload(self) -> u32 {
        (self.link >> FEATURE_BITS) & PAYLOAD_MASK
    }

    #[inline(always)]
    fn step<const MISSING: bool>(self, row: &[T]) -> u32 {
        let (x, value) = (row[(self.link & FEATURE_MASK) as usize], self.value);
        let is_branch = self.link >> 31;
        let skip = self.payload() & is_branch.wrapping_neg();
        let to_true = x <= value || (MISSING && x.is_nan() && self.link & MISSING_TRUE != 0);
        if to_true { is_branch } else { skip }
    }
}

/// For nodes that do not fit into [`Narrow`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wide<T> {
    value: T,
    /// A distance, negative only for [`Kind::Jump`], or a leaf's payload.
    skip: u32,
    /// From the highest bit: branch 1 bit, missing 1, strict 1, kind 2, feature 27.
    link: u32,
}

const STRICT: u32 = 1 << 29;
const KIND_SHIFT: u32 = 27;
const WIDE_FEATURE_MASK: u32 = (1 << KIND_SHIFT) - 1;

impl<T: Number> Wide<T> {
    pub(crate) fn feature(self) -> u32 {
        self.link & WIDE_FEATURE_MASK
    }

    pub(crate) fn with_value<U>(self, value: U) -> Wide<U> {
        Wide { value, skip: self.skip, link: self.link }
    }

    /// `None` for a leaf.
    #[inline]
    pub(crate) fn test(self) -> Option<Test> {
        if self.link & BRANCH == 0 {
            return None;
        }
        let kind = match (self.link >> KIND_SHIFT) & 3 {
            0 => Kind::LessOrEqual,
            1 => Kind::Equal,
            2 => Kind::Member,
            _ => Kind::Jump,
        };
        Some(Test { kind, missing: self.link & MISSING_TRUE != 0, strict: self.link & STRICT != 0 })
    }
}

impl<T: Number> Node for Wide<T> {
    type Value = T;

    const MAX_FEATURE: u32 = WIDE_FEATURE_MASK;
    const MAX_PAYLOAD: u32 = u32::MAX;

    fn branch(value: T, test: Test, feature: u32) -> Self {
        let kind = match test.kind {
            Kind::LessOrEqual => 0,
            Kind::Equal => 1,
            Kind::Member => 2,
            Kind::Jump => 3,
        } << KIND_SHIFT;
        let missing = if test.missing { MISSING_TRUE } else { 0 };
        let strict = if test.strict { STRICT } else { 0 };
        Self { value, skip: 0, link: BRANCH | missing | strict | kind | feature }
    }

    fn set_skip(&mut self, skip: u32) {
        self.skip = skip;
    }

    fn leaf(value: T, payload: u32) -> Self {
        Self { value, skip: payload, link: 0 }
    }

    fn value(self) -> T {
        self.value
    }

    fn payload(self) -> u32 {
        self.skip
    }

    #[inline(always)]
    fn step<const MISSING: bool>(self, row: &[T]) -> u32 {
        let x = row[self.feature() as usize];
        let is_branch = self.link >> 31;
        let skip = self.skip & is_branch.wrapping_neg();
        let to_true = x <= self.value || (MISSING && x.is_nan() && self.link & MISSING_TRUE != 0);
        if to_true { is_branch } else { skip }
    }
}
