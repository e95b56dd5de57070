//! Small ONNX files: the subset of protobuf that a graph with one input and one output needs.

/// A graph under construction. Its input is `x`, float32 `[N, columns]`.
pub struct Onnx {
    columns: usize,
    nodes: Vec<Message>,
    constants: Vec<Message>,
    metadata: Vec<Message>,
}

/// A protobuf message: numbers are varints, everything else is prefixed with its length.
#[derive(Default)]
struct Message(Vec<u8>);

const FLOAT: u64 = 1;

impl Onnx {
    pub fn new(columns: usize) -> Self {
        Self { columns, nodes: Vec::new(), constants: Vec::new(), metadata: Vec::new() }
    }

    /// Adds a constant tensor of this shape.
    pub fn constant(mut self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = shape.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size as u64));
        self.constants.push(tensor.number(2, FLOAT).bytes(8, name.as_bytes()).bytes(9, &bytes));
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

    /// Adds an entry to the file's metadata.
    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push(Message::default().bytes(1, key.as_bytes()).bytes(2, value.as_bytes()));
        self
    }

    /// The finished file, whose graph returns `output`, float32 `[N, columns]`.
    pub fn file(self, output: &str, columns: usize) -> Vec<u8> {
        let of_rows = |name: &str, columns: usize| {
            let rows = Message::default().bytes(2, b"N");
            let shape = Message::default().message(1, rows).message(1, Message::default().number(1, columns as u64));
            let tensor = Message::default().number(1, FLOAT).message(2, shape);
            Message::default().bytes(1, name.as_bytes()).message(2, Message::default().message(1, tensor))
        };
        let graph = self.nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node));
        let graph = self.constants.into_iter().fold(graph.bytes(2, b"graph"), |graph, tensor| graph.message(5, tensor));
        let graph = graph.message(11, of_rows("x", self.columns)).message(12, of_rows(output, columns));
        let file = Message::default().number(1, 8).message(7, graph);
        let file = file.message(8, Message::default().bytes(1, b"").number(2, 13));
        self.metadata.into_iter().fold(file, |file, entry| file.message(14, entry)).0
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
