//! What is known about a column of a tensor, without running the graph.

use std::collections::BTreeMap;

/// How a column depends on the fields.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    /// A constant.
    Constant(f64),
    /// Any function of one field.
    Local(usize),
    /// A sum of terms.
    Sum(Affine),
    /// An increasing function of a sum, or the share of this score among several.
    Function(Affine),
    /// Anything else, and why: a predicate about the graph.
    Other(String),
}

/// A constant plus terms times their weights.
#[derive(Debug, Clone, Default)]
pub(crate) struct Affine {
    pub(crate) terms: BTreeMap<Term, f64>,
    pub(crate) constant: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Term {
    /// A column that depends on one field.
    Column { tensor: String, column: usize, field: usize },
    /// The sum of an ensemble's leaves for a target.
    Target { ensemble: usize, target: usize },
}

impl Affine {
    pub(crate) fn of(term: Term) -> Self {
        Self { terms: BTreeMap::from([(term, 1.0)]), constant: 0.0 }
    }

    pub(crate) fn add(&mut self, other: &Self, weight: f64) {
        self.constant += weight * other.constant;
        for (term, factor) in &other.terms {
            *self.terms.entry(term.clone()).or_default() += weight * factor;
        }
    }

    pub(crate) fn times(&self, factor: f64) -> Self {
        let mut product = Self::default();
        product.add(self, factor);
        product
    }

    fn is_finite(&self) -> bool {
        self.constant.is_finite() && self.terms.values().all(|weight| weight.is_finite())
    }
}

impl Column {
    /// A sum, or why it is none.
    pub(crate) fn sum(affine: Affine) -> Self {
        if affine.is_finite() { Self::Sum(affine) } else { Self::Other("has a weight that is not finite".to_owned()) }
    }

    /// The only field that the column depends on.
    pub(crate) fn field(&self) -> Option<usize> {
        match self {
            Self::Local(field) => Some(*field),
            Self::Sum(affine) => {
                let mut fields = affine.terms.keys().map(|term| match term {
                    Term::Column { field, .. } => Some(*field),
                    Term::Target { .. } => None,
                });
                let first = fields.next()??;
                fields.all(|field| field == Some(first)).then_some(first)
            }
            Self::Constant(_) | Self::Function(_) | Self::Other(_) => None,
        }
    }

    /// The column as a sum. `tensor` and `position` say where its values are.
    pub(crate) fn affine(&self, tensor: &str, position: usize) -> Result<Affine, String> {
        match self {
            Self::Constant(constant) => Ok(Affine { constant: *constant, ..Affine::default() }),
            Self::Local(field) => {
                Ok(Affine::of(Term::Column { tensor: tensor.to_owned(), column: position, field: *field }))
            }
            Self::Sum(affine) => Ok(affine.clone()),
            Self::Function(_) => Err("calculates with the result of a function of several fields".to_owned()),
            Self::Other(reason) => Err(reason.clone()),
        }
    }

    /// The result of an operator that calculates each column on its own from these columns, and is no sum.
    pub(crate) fn mixed(operator: &str, columns: &[&Self]) -> Self {
        let mut field = None;
        for column in columns {
            match (column, column.field()) {
                (Self::Constant(_), _) => {}
                (Self::Other(reason), _) => return Self::Other(reason.clone()),
                (_, Some(other)) if field.is_none_or(|field| field == other) => field = Some(other),
                _ => return Self::Other(format!("applies {operator} to several fields")),
            }
        }
        field.map_or_else(|| Self::Other(format!("applies {operator} to constants")), Self::Local)
    }
}
