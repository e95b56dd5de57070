//! Small ONNX files: the subset of protobuf that they need.

use model_package::Precision;

/// A graph under construction. Its input is `x`, `[N, columns]`, unless it has [others](Self::with_input).
pub struct Onnx {
    columns: usize,
    precision: Precision,
    input: u64,
    output: u64,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    nodes: Vec<Message>,
    constants: Vec<Message>,
    metadata: Vec<Message>,
}

/// A protobuf message: numbers are varints, everything else is prefixed with its length.
#[derive(Default)]
struct Message(Vec<u8>);

/// ONNX's number of float32, for casts.
pub const FLOAT: u64 = 1;
/// ONNX's number of uint8.
pub const UINT8: u64 = 2;
/// ONNX's number of int8.
const INT8: u64 = 3;
/// ONNX's number of int32.
pub const INT32: u64 = 6;
/// ONNX's number of int64.
pub const INT64: u64 = 7;
/// ONNX's number of booleans.
pub const BOOL: u64 = 9;
/// ONNX's number of float16.
pub const FLOAT16: u64 = 10;
/// ONNX's number of float64.
pub const DOUBLE: u64 = 11;

/// An operator's attribute.
pub enum Attribute<'a> {
    Ints(&'a [i64]),
    Strings(&'a [&'a str]),
    Bytes(&'a [u8]),
    Doubles(&'a [f64]),
}

impl Onnx {
    /// A graph in float32.
    pub fn new(columns: usize) -> Self {
        Self::of(Precision::Float32, columns)
    }

    /// A graph whose input, constants and output are of this type.
    pub fn of(precision: Precision, columns: usize) -> Self {
        let number = match precision {
            Precision::Float32 => FLOAT,
            Precision::Float64 => DOUBLE,
        };
        let (inputs, outputs, nodes, constants, metadata) = Default::default();
        Self { columns, precision, input: number, output: number, inputs, outputs, nodes, constants, metadata }
    }

    /// A graph without inputs: add them.
    pub fn empty() -> Self {
        Self::new(0)
    }

    /// Adds an input of this type, ONNX's number of it, and shape. A dimension is a number or a name.
    pub fn with_input(mut self, name: &str, number: u64, shape: &[&str]) -> Self {
        self.inputs.push(tensor(name, number, shape));
        self
    }

    /// Adds an output beside the one of [`Self::file`], after it.
    pub fn with_output(mut self, name: &str, number: u64, shape: &[&str]) -> Self {
        self.outputs.push(tensor(name, number, shape));
        self
    }

    /// Declares another type for the input: ONNX's number of it.
    pub fn with_input_type(self, number: u64) -> Self {
        Self { input: number, ..self }
    }

    /// Declares another type for the output.
    pub fn with_output_type(self, number: u64) -> Self {
        Self { output: number, ..self }
    }

    /// Adds a constant tensor of this shape, in the graph's type.
    pub fn constant<T: Copy + Into<f64>>(self, name: &str, shape: &[usize], values: &[T]) -> Self {
        let values = values.iter().map(|value| -> f64 { (*value).into() });
        if self.precision == Precision::Float64 {
            self.tensor(name, shape, DOUBLE, values.flat_map(f64::to_le_bytes).collect())
        } else {
            self.tensor(name, shape, FLOAT, values.flat_map(|value| (value as f32).to_le_bytes()).collect())
        }
    }

    /// Adds a constant tensor of integers.
    pub fn integers(self, name: &str, shape: &[usize], values: &[i64]) -> Self {
        self.tensor(name, shape, INT64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Adds a constant tensor of bytes.
    pub fn int8s(self, name: &str, shape: &[usize], values: &[i8]) -> Self {
        self.tensor(name, shape, INT8, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Adds a constant tensor whose bytes are in the file `weights.bin`.
    pub fn in_another_file(mut self, name: &str, shape: &[usize]) -> Self {
        const EXTERNAL: u64 = 1;
        let tensor = shape.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size as u64));
        let location = Message::default().bytes(1, b"location").bytes(2, b"weights.bin");
        let tensor = tensor.number(2, FLOAT).bytes(8, name.as_bytes()).message(13, location).number(14, EXTERNAL);
        self.constants.push(tensor);
        self
    }

    fn tensor(mut self, name: &str, shape: &[usize], number: u64, bytes: Vec<u8>) -> Self {
        let size = match number {
            INT8 => 1,
            FLOAT => 4,
            _ => 8,
        };
        assert_eq!(shape.iter().product::<usize>() * size, bytes.len(), "{name}");
        let tensor = shape.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size as u64));
        self.constants.push(tensor.number(2, number).bytes(8, name.as_bytes()).bytes(9, &bytes));
        self
    }

    /// Adds an operator with these integer attributes.
    pub fn node(mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, u64)]) -> Self {
        const INT: u64 = 2;
        let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input.as_bytes()));
        let node = node.bytes(2, output.as_bytes()).bytes(3, output.as_bytes()).bytes(4, operator.as_bytes());
        let node = attributes.iter().fold(node, |node, (name, value)| {
            node.message(5, Message::default().bytes(1, name.as_bytes()).number(3, *value).number(20, INT))
        });
        self.nodes.push(node);
        self
    }

    /// Adds an operator of `ai.onnx.ml`.
    pub fn learnt(mut self, operator: &str, input: &str, output: &str, attributes: &[(&str, Attribute<'_>)]) -> Self {
        let node = Message::default().bytes(1, input.as_bytes()).bytes(2, output.as_bytes());
        let node = node.bytes(3, output.as_bytes()).bytes(4, operator.as_bytes()).bytes(7, b"ai.onnx.ml");
        let node = attributes.iter().fold(node, |node, (name, value)| node.message(5, value.message(name)));
        self.nodes.push(node);
        self
    }

    /// Adds an entry to the file's metadata.
    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push(Message::default().bytes(1, key.as_bytes()).bytes(2, value.as_bytes()));
        self
    }

    /// The finished file, whose graph returns `output`, `[N, columns]`.
    pub fn file(self, output: &str, columns: usize) -> Vec<u8> {
        let first = tensor(output, self.output, &["N", &columns.to_string()]);
        let graph = self.nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node));
        let graph = self.constants.into_iter().fold(graph.bytes(2, b"graph"), |graph, tensor| graph.message(5, tensor));
        let columns = self.columns.to_string();
        let inputs = if self.inputs.is_empty() { vec![tensor("x", self.input, &["N", &columns])] } else { self.inputs };
        let graph = inputs.into_iter().fold(graph, |graph, input| graph.message(11, input));
        let graph = [first].into_iter().chain(self.outputs).fold(graph, |graph, output| graph.message(12, output));
        let file = Message::default().number(1, 8).message(7, graph);
        let file = file.message(8, Message::default().bytes(1, b"").number(2, 13));
        self.metadata.into_iter().fold(file, |file, entry| file.message(14, entry)).0
    }
}

/// The declaration of an input or output.
fn tensor(name: &str, number: u64, shape: &[&str]) -> Message {
    let size = |size: &&str| match size.parse() {
        Ok(size) => Message::default().number(1, size),
        Err(_) => Message::default().bytes(2, size.as_bytes()),
    };
    let shape = shape.iter().map(size).fold(Message::default(), |shape, size| shape.message(1, size));
    let tensor = Message::default().number(1, number).message(2, shape);
    Message::default().bytes(1, name.as_bytes()).message(2, Message::default().message(1, tensor))
}

impl Attribute<'_> {
    fn message(&self, name: &str) -> Message {
        const TENSOR: u64 = 4;
        const INTS: u64 = 7;
        const STRINGS: u64 = 8;
        const UINT8: u64 = 2;
        let tensor = |length: usize, number, bytes: &[u8]| {
            Message::default().number(1, length as u64).number(2, number).bytes(9, bytes)
        };
        let message = Message::default().bytes(1, name.as_bytes());
        match self {
            // A negative number has ten bytes.
            Self::Ints(values) => {
                values.iter().fold(message, |message, value| message.number(8, *value as u64)).number(20, INTS)
            }
            Self::Strings(values) => {
                values.iter().fold(message, |message, value| message.bytes(9, value.as_bytes())).number(20, STRINGS)
            }
            Self::Bytes(values) => message.message(5, tensor(values.len(), UINT8, values)).number(20, TENSOR),
            Self::Doubles(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                message.message(5, tensor(values.len(), DOUBLE, &bytes)).number(20, TENSOR)
            }
        }
    }
}

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, &message.0)
    }
}
