//! Dimensions of arrays that have the same name must have the same size in a request.

use super::Fields;
use crate::{
    field::Field,
    invalid::{FieldError, FieldErrorCode},
    json::{Dimension, shape_text},
    tensor::Tensor,
    values::Input,
};

impl Fields {
    /// The error of the first array whose length is another than that of a dimension with the same name.
    pub(super) fn disagreement(&self, input: &Input) -> Option<FieldError> {
        let size = |(field, axis): (usize, usize)| Some(input.value(field).tensor(0)?.shape()[axis]);
        self.shared.iter().find_map(|(name, places)| {
            let (first, expected) = (places[0].0, size(places[0])?);
            let place = places.iter().copied().find(|place| size(*place) != Some(expected))?;
            let shape = input.value(place.0).tensor(0).map(Tensor::shape).unwrap_or_default();
            Some(FieldError {
                field: self.fields[place.0].name().to_owned(),
                code: FieldErrorCode::Invalid,
                detail: format!("must have the same {name} as {:?}, {expected}", self.fields[first].name()).into(),
                received: Some(format!("an array of shape {}", shape_text(shape))),
                suggestion: None,
            })
        })
    }
}

pub(super) fn shared_dimensions(fields: &[Field]) -> Vec<(String, Vec<(usize, usize)>)> {
    let mut dimensions: Vec<(String, Vec<(usize, usize)>)> = Vec::new();
    let formats = fields.iter().enumerate().filter_map(|(position, field)| Some((position, field.array_format()?)));
    for (position, format) in formats {
        for (axis, size) in format.shape.iter().enumerate() {
            let Dimension::Named(name) = size else { continue };
            match dimensions.iter_mut().find(|(known, _)| known == name) {
                Some((_, places)) => places.push((position, axis)),
                None => dimensions.push((name.clone(), vec![(position, axis)])),
            }
        }
    }
    dimensions.retain(|(_, places)| places.len() > 1);
    dimensions
}
