//! Reads nested JSON arrays straight into a tensor: no value stands for each of their numbers.

use std::{fmt, sync::Arc};

use half::f16;
use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::Json;
use crate::{
    bound::Bound,
    precision::Precision,
    tensor::{DataType, Tensor},
};

/// The tensors that nested arrays may become.
#[derive(Clone, Debug)]
pub(crate) struct ArrayFormat {
    pub(crate) datatype: DataType,
    /// A number or boolean without an array around it has no dimension.
    pub(crate) shape: Vec<Dimension>,
    /// The most elements.
    pub(crate) max_items: usize,
    /// The bounds of each element.
    pub(crate) lower: Option<Bound>,
    pub(crate) upper: Option<Bound>,
}

/// The length of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    Fixed(usize),
    /// Any length from 1.
    Named(String),
}

impl ArrayFormat {
    fn accepts(&self, shape: &[usize]) -> bool {
        let is_accepted = |(expected, found): (&Dimension, &usize)| match expected {
            Dimension::Fixed(expected) => expected == found,
            Dimension::Named(_) => *found > 0,
        };
        shape.len() == self.shape.len() && self.shape.iter().zip(shape).all(is_accepted)
    }

    /// The shape of a value of this format. `None` if it has another.
    pub(crate) fn shape_of(&self, value: &Value) -> Option<Vec<usize>> {
        let text = value.to_string();
        match self.deserialize(&mut serde_json::Deserializer::from_str(&text)).ok()? {
            Json::Tensor(tensor) => Some(tensor.shape().to_vec()),
            _ => None,
        }
    }

    fn holds(&self, number: f64) -> bool {
        let Self { lower, upper, .. } = self;
        lower.is_none_or(|bound| bound.is_below(number)) && upper.is_none_or(|bound| bound.is_above(number))
    }
}

/// `[300, length]`
pub(crate) fn shape_text<T: fmt::Display>(shape: &[T]) -> String {
    let sizes: Vec<_> = shape.iter().map(T::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Reads a value as [`Json::Tensor`] if it has this format. Of other arrays, it keeps a description.
impl<'de> DeserializeSeed<'de> for &ArrayFormat {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        let mut items = Items {
            format: self,
            bytes: Vec::new(),
            count: 0,
            sizes: Vec::new(),
            depth_of_elements: None,
            path: Vec::new(),
            problem: None,
            other: None,
        };
        Item(&mut items).deserialize(deserializer)?;
        Ok(items.finish())
    }
}

/// What has been read so far.
struct Items<'f, 'de> {
    format: &'f ArrayFormat,
    /// The elements, as long as they are as expected.
    bytes: Vec<u8>,
    /// The number of elements.
    count: usize,
    /// The length of the arrays at each depth, once one has ended.
    sizes: Vec<Option<usize>>,
    depth_of_elements: Option<usize>,
    /// The position of the value that is being read.
    path: Vec<usize>,
    /// The first problem.
    problem: Option<String>,
    /// The value, if it is not an array.
    other: Option<Json<'de>>,
}

impl<'de> Items<'_, 'de> {
    fn fail(&mut self, problem: impl FnOnce(&str) -> String) {
        if self.problem.is_none() {
            self.problem = Some(problem(&shape_text(&self.path)));
            self.bytes = Vec::new();
        }
    }

    /// Adds an element, unless it is not one.
    fn element(&mut self, json: Json<'de>, bytes: Option<([u8; 8], usize)>) {
        self.count += 1;
        let depth = self.path.len();
        if depth == 0 {
            self.other = Some(json);
        } else if bytes.is_none() {
            self.fail(|path| format!("an array with {json} at {path}"));
        } else if *self.depth_of_elements.get_or_insert(depth) != depth
            || self.sizes.get(depth).is_some_and(Option::is_some)
        {
            self.fail(|path| format!("an array with {json} at {path} beside arrays"));
        }
        if let (Some((bytes, size)), None) = (bytes, &self.problem)
            && self.count <= self.format.max_items
        {
            self.bytes.extend_from_slice(&bytes[..size]);
        }
    }

    /// Ends the array at `path`.
    fn array(&mut self, length: usize) {
        let depth = self.path.len();
        if self.sizes.len() <= depth {
            self.sizes.resize(depth + 1, None);
        }
        if self.depth_of_elements == Some(depth) {
            self.fail(|path| format!("an array with an array at {path} beside its items"));
        } else if *self.sizes[depth].get_or_insert(length) != length {
            self.fail(|path| format!("an array with arrays of different lengths, the first at {path}"));
        }
    }

    fn finish(self) -> Json<'de> {
        let Self { format, bytes, count, sizes, problem, other, .. } = self;
        let shape: Vec<_> = sizes.into_iter().flatten().collect();
        match (problem, other) {
            (Some(problem), _) => Json::Array(Some(problem.into())),
            (None, Some(other)) if !format.shape.is_empty() || bytes.is_empty() => other,
            _ if count > format.max_items => {
                Json::Array(Some(format!("an array of shape {}, {count} items", shape_text(&shape)).into()))
            }
            _ if format.accepts(&shape) => match Tensor::new(format.datatype, shape, bytes) {
                Some(tensor) => Json::Tensor(Arc::new(tensor)),
                None => Json::Array(None),
            },
            _ => Json::Array(Some(format!("an array of shape {}", shape_text(&shape)).into())),
        }
    }

    /// The element in this type. `None` if it has no such element.
    fn integer(&self, number: i128) -> Option<([u8; 8], usize)> {
        if !self.format.holds(number as f64) {
            return None;
        }
        match self.format.datatype {
            DataType::Int32 => i32::try_from(number).ok().map(|number| padded(number.to_le_bytes())),
            DataType::Int64 => i64::try_from(number).ok().map(|number| padded(number.to_le_bytes())),
            DataType::Uint8 => u8::try_from(number).ok().map(|number| padded([number])),
            DataType::Bool => None,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => self.number(number as f64),
        }
    }

    fn number(&self, number: f64) -> Option<([u8; 8], usize)> {
        if !self.format.holds(number) {
            return None;
        }
        match self.format.datatype {
            // Adding zero turns negative zero into zero, as for scalars.
            DataType::Float16 => {
                let nearest = f16::from_f64(number + 0.0);
                nearest.is_finite().then(|| padded(nearest.to_le_bytes()))
            }
            DataType::Float32 => {
                let nearest = (number + 0.0) as f32 + 0.0;
                nearest.is_finite().then(|| padded(nearest.to_le_bytes()))
            }
            DataType::Float64 => Some(padded((number + 0.0).to_le_bytes())),
            DataType::Int32 | DataType::Int64 | DataType::Uint8 => {
                // From 2⁵³ on, the digits may have said another integer.
                let is_integer = number.fract() == 0.0 && number.abs() < Precision::Float64.largest_integer();
                if is_integer { self.integer(number as i128) } else { None }
            }
            DataType::Bool => None,
        }
    }
}

fn padded<const SIZE: usize>(bytes: [u8; SIZE]) -> ([u8; 8], usize) {
    let mut padded = [0; 8];
    padded[..SIZE].copy_from_slice(&bytes);
    (padded, SIZE)
}

/// Reads one value, an array or an item of one.
struct Item<'c, 'f, 'de>(&'c mut Items<'f, 'de>);

impl<'de> DeserializeSeed<'de> for Item<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        let bytes = (self.0.format.datatype == DataType::Bool).then(|| padded([u8::from(value)]));
        self.0.element(Json::Bool(value), bytes);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.element(Json::integer(number.into()), self.0.integer(number.into()));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.element(Json::integer(number.into()), self.0.integer(number.into()));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.element(Json::decimal(number), self.0.number(number));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.element(Json::Null, None);
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.0.element(Json::Text(text.into()), None);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.element(Json::Text(text.to_owned().into()), None);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = self.0.path.len();
        self.0.path.push(0);
        while items.next_element_seed(Item(self.0))?.is_some() {
            self.0.path[depth] += 1;
        }
        let length = self.0.path.pop().unwrap_or_default();
        self.0.array(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.0.element(Json::Object(Default::default()), None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(datatype: DataType, shape: &[Dimension], json: &str) -> Result<Tensor, String> {
        let format = ArrayFormat { datatype, shape: shape.to_vec(), max_items: 6, lower: None, upper: None };
        let mut json = serde_json::Deserializer::from_str(json);
        let read = (&format).deserialize(&mut json).expect("JSON");
        json.end().expect("JSON");
        match read {
            Json::Tensor(tensor) => Ok(Arc::unwrap_or_clone(tensor)),
            other => Err(other.to_string()),
        }
    }

    fn named() -> Dimension {
        Dimension::Named("length".to_owned())
    }

    #[test]
    fn nested_arrays_become_a_tensor_of_the_type_in_row_major_order() {
        for (datatype, json, numbers) in [
            (DataType::Float32, "[[0.1, -0.0], [3, 1e-3]]", vec![0.1_f32.into(), 0.0, 3.0, 1e-3_f32.into()]),
            (DataType::Float64, "[[0.1, 9007199254740992]]", vec![0.1, 9_007_199_254_740_992.0]),
            (DataType::Float16, "[[0.1, 65504]]", vec![f16::from_f64(0.1).into(), 65_504.0]),
            (DataType::Int32, "[[-2147483648, 3.0]]", vec![-2_147_483_648.0, 3.0]),
            (DataType::Int64, "[[7, -1]]", vec![7.0, -1.0]),
            (DataType::Uint8, "[[0, 255]]", vec![0.0, 255.0]),
            (DataType::Bool, "[[true, false]]", vec![1.0, 0.0]),
        ] {
            let tensor =
                read(datatype, &[named(), Dimension::Fixed(2)], json).unwrap_or_else(|other| panic!("{other}"));
            assert_eq!(tensor.shape(), [numbers.len() / 2, 2], "{json}");
            assert_eq!(tensor.numbers(), numbers, "{json}");
        }
        let large = read(DataType::Int64, &[named()], "[9223372036854775807]").expect("an int64");
        assert_eq!(large.bytes(), i64::MAX.to_le_bytes());
        assert_eq!(read(DataType::Float32, &[], "2.5").map(|tensor| tensor.numbers()), Ok(vec![2.5]));
    }

    #[test]
    fn what_came_instead_is_described() {
        let pairs = [named(), Dimension::Fixed(2)];
        for (datatype, shape, json, described) in [
            (DataType::Float32, &pairs[..], "[[1, 2, 3]]", "an array of shape [1, 3]"),
            (DataType::Float32, &pairs, "[1, 2]", "an array of shape [2]"),
            (DataType::Float32, &pairs, "[[[1, 2]]]", "an array of shape [1, 1, 2]"),
            (DataType::Float32, &pairs, "[]", "an array of shape [0]"),
            (DataType::Float32, &pairs, "[[], []]", "an array of shape [2, 0]"),
            (DataType::Float32, &pairs, "[[1, 2], [3]]", "an array with arrays of different lengths, the first at [1]"),
            (DataType::Float32, &pairs, "[[1, 2], 3]", "an array with 3 at [1] beside arrays"),
            (DataType::Float32, &pairs, "[1, [2, 3]]", "an array with 2 at [1, 0] beside arrays"),
            (DataType::Float32, &pairs, "[1, []]", "an array with an array at [1] beside its items"),
            (DataType::Float32, &pairs, "[[], 1]", "an array with 1 at [1] beside arrays"),
            (DataType::Float32, &pairs, "[[1, \"x\"]]", "an array with \"x\" at [0, 1]"),
            (DataType::Float32, &pairs, "[[1, null]]", "an array with null at [0, 1]"),
            (DataType::Float32, &pairs, "[[1, {\"a\": [1]}]]", "an array with an object at [0, 1]"),
            (DataType::Float32, &pairs, "[[1, 1e39]]", "an array with 1e39 at [0, 1]"),
            (DataType::Float16, &pairs, "[[1, 65520]]", "an array with 65520 at [0, 1]"),
            (DataType::Uint8, &pairs, "[[1, 256]]", "an array with 256 at [0, 1]"),
            (DataType::Int32, &pairs, "[[1, 0.5]]", "an array with 0.5 at [0, 1]"),
            (DataType::Int64, &pairs, "[[1, 9007199254740993.0]]", "an array with 9007199254740992.0 at [0, 1]"),
            (DataType::Int64, &pairs, "[[1, 9223372036854775808]]", "an array with 9.223372036854776e18 at [0, 1]"),
            (DataType::Bool, &pairs, "[[true, 1]]", "an array with 1 at [0, 1]"),
            (DataType::Float32, &pairs, "[[1,2],[3,4],[5,6],[7,8]]", "an array of shape [4, 2], 8 items"),
            (DataType::Float32, &pairs, "25", "25"),
            (DataType::Float32, &pairs, "\"text\"", "\"text\""),
            (DataType::Float32, &[], "[1]", "an array of shape [1]"),
            (DataType::Float32, &[], "true", "true"),
        ] {
            assert_eq!(read(datatype, shape, json), Err(described.to_owned()), "{json}");
        }
    }
}
