//! Exact contributions of features to a score: path-dependent TreeSHAP (Lundberg et al., "From local explanations to global
//! understanding with explainable AI for trees", 2020).
//!
//! A feature's contribution is its Shapley value in the game in which a coalition of features is worth the mean of the leaves that a
//! row can reach if only these features are known: at the branches of the others, both children count with their share of the
//! training rows.
//!
//! For one leaf with the value `v`, whose path reads the features `1…d`, let `o` be 1 if the row satisfies all tests of a feature on
//! that path and else 0, and `z` the product of the shares of these tests. The Shapley values are an integral (Owen's multilinear
//! extension):
//!
//! ```text
//! contribution of i = v · (o_i − z_i) · ∫₀¹ ∏_{j≠i} (t·o_j + (1 − t)·z_j) dt
//! ```
//!
//! The integrand is a polynomial of degree d − 1, so Gauss and Legendre's rule with d/2 points is exact, and as all terms are positive, nothing
//! cancels. All leaves below a node share its part of the product. So a pass from the root to the leaves multiplies the parts, and a pass
//! back adds up the leaves: the time grows with the number of nodes times d/2, where the published algorithm needs the number of leaves
//! times d².

mod node;
mod passes;
mod quadrature;
mod trees;

pub use self::trees::{Contributions, Unexplainable};
