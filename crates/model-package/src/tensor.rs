//! Tensors as graphs read and return them, in the words of the Open Inference Protocol.

use std::fmt;

use half::f16;
use serde::Deserialize;

use super::precision::Precision;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum DataType {
    #[serde(rename = "FP16")]
    Float16,
    #[serde(rename = "FP32")]
    Float32,
    #[serde(rename = "FP64")]
    Float64,
    #[serde(rename = "INT32")]
    Int32,
    #[serde(rename = "INT64")]
    Int64,
    #[serde(rename = "UINT8")]
    Uint8,
    #[serde(rename = "BOOL")]
    Bool,
}

impl DataType {
    /// The name in ONNX: `int64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Bool => "bool",
        }
    }

    /// In bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Uint8 | Self::Bool => 1,
            Self::Float16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }

    /// The type in which the numbers of scalar fields are calculated on their way to a tensor of this type.
    pub(crate) fn precision(self) -> Precision {
        match self {
            Self::Float16 | Self::Float32 => Precision::Float32,
            Self::Float64 | Self::Int32 | Self::Int64 | Self::Uint8 | Self::Bool => Precision::Float64,
        }
    }

    /// The range of integers that are one of their own both in this type and in float64. `None` for floating-point types.
    pub(crate) fn integers(self) -> Option<(f64, f64)> {
        let exact = Precision::Float64.largest_integer();
        match self {
            Self::Float16 | Self::Float32 | Self::Float64 => None,
            Self::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Int64 => Some((-exact, exact)),
            Self::Uint8 => Some((0.0, 255.0)),
            Self::Bool => Some((0.0, 1.0)),
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }
}

/// The Open Inference Protocol's name: `FP32`.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float16 => "FP16",
            Self::Float32 => "FP32",
            Self::Float64 => "FP64",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Uint8 => "UINT8",
            Self::Bool => "BOOL",
        })
    }
}

/// Numbers or booleans in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    datatype: DataType,
    shape: Vec<usize>,
    /// Little-endian; a boolean is the byte 0 or 1.
    bytes: Vec<u8>,
}

impl Tensor {
    /// `None` if the length of `bytes` is another than that of so many elements.
    pub fn new(datatype: DataType, shape: Vec<usize>, bytes: Vec<u8>) -> Option<Self> {
        let length = shape.iter().try_fold(datatype.size(), |length, size| length.checked_mul(*size));
        (length == Some(bytes.len())).then_some(Self { datatype, shape, bytes })
    }

    pub fn zeros(datatype: DataType, shape: Vec<usize>) -> Self {
        let bytes = vec![0; datatype.size() * shape.iter().product::<usize>()];
        Self { datatype, shape, bytes }
    }

    /// Each number is rounded to the nearest of this type; integers are cut to its range. `shape` must have as many elements.
    pub(crate) fn from_numbers(datatype: DataType, shape: Vec<usize>, numbers: &[f64]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), numbers.len());
        let mut bytes = Vec::with_capacity(datatype.size() * numbers.len());
        let numbers = numbers.iter().copied();
        match datatype {
            DataType::Float16 => numbers.for_each(|number| bytes.extend(f16::from_f64(number).to_le_bytes())),
            DataType::Float32 => numbers.for_each(|number| bytes.extend((number as f32).to_le_bytes())),
            DataType::Float64 => numbers.for_each(|number| bytes.extend(number.to_le_bytes())),
            DataType::Int32 => numbers.for_each(|number| bytes.extend((number as i32).to_le_bytes())),
            DataType::Int64 => numbers.for_each(|number| bytes.extend((number as i64).to_le_bytes())),
            DataType::Uint8 => numbers.for_each(|number| bytes.push(number as u8)),
            DataType::Bool => numbers.for_each(|number| bytes.push(u8::from(number != 0.0))),
        }
        Self { datatype, shape, bytes }
    }

    /// One tensor of several, along a new first axis. `None` unless they have one type and shape.
    pub(crate) fn stack(tensors: &[&Self]) -> Option<Self> {
        let first = *tensors.first()?;
        if tensors.iter().any(|tensor| (tensor.datatype, &tensor.shape) != (first.datatype, &first.shape)) {
            return None;
        }
        let shape = [tensors.len()].into_iter().chain(first.shape.iter().copied()).collect();
        let mut bytes = Vec::with_capacity(tensors.len() * first.bytes.len());
        tensors.iter().for_each(|tensor| bytes.extend_from_slice(&tensor.bytes));
        Some(Self { datatype: first.datatype, shape, bytes })
    }

    /// As many equal parts along the first axis. A part of length 1 loses that axis. `None` if there are not as many, except that one
    /// part of a tensor without axes is the tensor.
    pub fn unstack(&self, count: usize) -> Option<Vec<Self>> {
        let Some((first, rest)) = self.shape.split_first() else {
            return (count == 1).then(|| vec![self.clone()]);
        };
        if first % count != 0 {
            return None;
        }
        let shape = if *first == count { rest.to_vec() } else { [&[first / count], rest].concat() };
        let length = self.datatype.size() * shape.iter().product::<usize>();
        let part = |part| Self {
            datatype: self.datatype,
            shape: shape.clone(),
            bytes: self.bytes[part * length..][..length].to_vec(),
        };
        Some((0..count).map(part).collect())
    }

    /// Appends the number of dimensions, a byte, their sizes, four bytes each, and the elements.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.shape.len() as u8);
        self.shape.iter().for_each(|size| bytes.extend((*size as u32).to_le_bytes()));
        bytes.extend_from_slice(&self.bytes);
    }

    /// Takes from the start of `bytes` what [`Self::write`] appended. `None` for anything else.
    pub(crate) fn read(datatype: DataType, bytes: &mut &[u8]) -> Option<Self> {
        let rank = *bytes.split_off_first()?;
        let sizes = bytes.split_off(..4 * usize::from(rank))?;
        let shape: Vec<_> = sizes.as_chunks().0.iter().map(|size| u32::from_le_bytes(*size) as usize).collect();
        let length = shape.iter().try_fold(datatype.size(), |length, size| length.checked_mul(*size))?;
        Self::new(datatype, shape, bytes.split_off(..length)?.to_vec())
    }

    pub fn datatype(&self) -> DataType {
        self.datatype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.datatype.size()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The integers of a tensor of integers, all of which are exact. Empty for other types.
    pub(crate) fn integers(&self) -> Vec<i64> {
        let bytes = &self.bytes;
        match self.datatype {
            DataType::Int32 => bytes.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
            DataType::Int64 => bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
            DataType::Uint8 => bytes.iter().map(|byte| (*byte).into()).collect(),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Bool => Vec::new(),
        }
    }

    /// The nearest doubles; booleans are 0 and 1.
    pub fn numbers(&self) -> Vec<f64> {
        fn each<const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> f64) -> Vec<f64> {
            bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
        }
        let bytes = &self.bytes;
        match self.datatype {
            DataType::Float16 => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f64()),
            DataType::Float32 => each(bytes, |bytes| f32::from_le_bytes(bytes).into()),
            DataType::Float64 => each(bytes, f64::from_le_bytes),
            DataType::Int32 => each(bytes, |bytes| i32::from_le_bytes(bytes).into()),
            DataType::Int64 => each(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            DataType::Uint8 | DataType::Bool => each(bytes, |[byte]| byte.into()),
        }
    }
}
