//! Converts tensors between the package's types and tract's.

use std::borrow::Cow;

use anyhow::Context;
use model_package::{DataType, Tensor};
use tract_onnx::prelude::{self as tract, DatumType, TractResult};

/// The tensor that tract reads.
pub(super) fn to_tract(tensor: &Tensor) -> TractResult<tract::Tensor> {
    let mut fed = tract::Tensor::zero_dt(datum_type(tensor.datatype()), tensor.shape())?;
    fed.as_bytes_mut().copy_from_slice(tensor.bytes());
    Ok(fed)
}

/// The tensor that tract returned. Other integers become int64.
pub(super) fn from_tract(tensor: &tract::Tensor) -> TractResult<Tensor> {
    let (datatype, tensor) = match data_type(tensor.datum_type()) {
        Some(datatype) => (datatype, Cow::Borrowed(tensor)),
        None => (DataType::Int64, tensor.cast_to::<i64>()?),
    };
    let bytes = tensor.try_as_plain_ram()?.as_bytes().to_vec();
    Tensor::new(datatype, tensor.shape().to_vec(), bytes).context("a tensor of another length than its shape")
}

pub(super) fn datum_type(datatype: DataType) -> DatumType {
    match datatype {
        DataType::Float16 => DatumType::F16,
        DataType::Float32 => DatumType::F32,
        DataType::Float64 => DatumType::F64,
        DataType::Int32 => DatumType::I32,
        DataType::Int64 => DatumType::I64,
        DataType::Uint8 => DatumType::U8,
        DataType::Bool => DatumType::Bool,
    }
}

pub(super) fn data_type(datum_type: DatumType) -> Option<DataType> {
    Some(match datum_type {
        DatumType::F16 => DataType::Float16,
        DatumType::F32 => DataType::Float32,
        DatumType::F64 => DataType::Float64,
        DatumType::I32 => DataType::Int32,
        DatumType::I64 => DataType::Int64,
        DatumType::U8 => DataType::Uint8,
        DatumType::Bool => DataType::Bool,
        _ => return None,
    })
}
