//! Which field feeds which input of the graph.

use super::{
    declaration::{Declaration, DeclaredSize, Size, TensorDeclaration, datatype, names},
    field::{Field, default_inputs},
    manifest::{FieldEntry, InputsEntry},
    mistake::{Entry, GRAPH, Mistake},
    precision::Precision,
    tensor::{DataType, Tensor},
    values::Input,
};

/// An input of the graph and what feeds it.
#[derive(Clone, Debug)]
pub struct GraphInput {
    name: String,
    datatype: DataType,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The columns of the fields at these positions: so many in all.
    Columns { fields: Vec<usize>, width: usize },
    /// A tensor of the field at this position.
    Tensor { field: usize, part: usize },
}

/// The positions of the graph's inputs that a field feeds, in the order of its tensors. Empty for a field with a mistake.
pub(crate) type FedInputs = Vec<usize>;

/// Finds the input that each field feeds: the one in `input`, or the one of the field's name, or the only one that is left.
pub(crate) fn assign(fields: &[FieldEntry], declaration: &Declaration, mistakes: &mut Vec<Mistake>) -> Vec<FedInputs> {
    let inputs = &declaration.inputs;
    if !declaration.is_known() {
        return vec![FedInputs::new(); fields.len()];
    }
    let named = |name: &str| inputs.iter().position(|input| input.name == name);
    let mut assigned: Vec<Option<usize>> =
        fields.iter().map(|field| named(field.input.as_deref().unwrap_or(&field.name))).collect();
    // A text feeds several: those in `inputs`, or those of their usual names.
    let mut others: Vec<FedInputs> = vec![FedInputs::new(); fields.len()];
    for ((field, first), others) in fields.iter().zip(&mut assigned).zip(&mut others) {
        for (name, is_first) in default_inputs(field) {
            match named(name) {
                Some(input) if *is_first => *first = first.or(Some(input)),
                Some(input) => others.push(input),
                None => {}
            }
        }
        let mut names = field.inputs.iter().flat_map(InputsEntry::names).map(|name| {
            let input = named(name);
            if input.is_none() {
                Entry::new(format!("field {:?}", field.name), mistakes).mistake(format_args!(
                    "`inputs` has {name:?}, but the inputs of the graph are {}: name one of them",
                    names(inputs)
                ));
            }
            input.unwrap_or_default()
        });
        *first = names.next().or(*first);
        others.extend(names);
    }
    let assigned_to_others: Vec<_> = others.iter().flatten().copied().collect();
    let is_free = |input: &usize| !assigned.contains(&Some(*input)) && !assigned_to_others.contains(input);
    let left: Vec<_> = (0..inputs.len()).filter(is_free).collect();
    let default = if let [only] = &left[..] { Some(*only) } else { (inputs.len() == 1).then_some(0) };
    for (field, input) in fields.iter().zip(&mut assigned).filter(|(_, input)| input.is_none()) {
        let mut entry = Entry::new(format!("field {:?}", field.name), mistakes);
        match &field.input {
            Some(name) => entry.mistake(format_args!(
                "`input` is {name:?}, but the inputs of the graph are {}: name one of them",
                names(inputs)
            )),
            None if default.is_none() => entry
                .mistake(format_args!("needs `input`, the input of the graph that it feeds: one of {}", names(inputs))),
            None => *input = default,
        }
    }
    assigned.into_iter().zip(others).map(|(first, others)| first.into_iter().chain(others).collect()).collect()
}

/// The declarations of the inputs that a field feeds.
pub(crate) fn declared<'a>(declaration: &'a Declaration, fed: &FedInputs) -> Vec<&'a TensorDeclaration> {
    fed.iter().map(|input| &declaration.inputs[*input]).collect()
}

/// The type of the first input that a field feeds.
pub(crate) fn datatype_of(declaration: &Declaration, fed: &FedInputs) -> DataType {
    match declared(declaration, fed)[..] {
        [] if declaration.precision() == Precision::Float64 => DataType::Float64,
        [] => DataType::Float32,
        [input, ..] => datatype(Some(input)),
    }
}

impl GraphInput {
    /// One for each of the graph's inputs, in its order, if every one is fed. `fields` and `fed` have the same order.
    pub(crate) fn all(
        fields: &[Field],
        fed: &[FedInputs],
        declaration: &Declaration,
        mistakes: &mut Vec<Mistake>,
    ) -> Vec<Self> {
        if !declaration.is_known() {
            return Vec::new();
        }
        let mut in_graph = |problem| mistakes.push(Mistake { file: GRAPH, entry: String::new(), problem });
        let mut all = Vec::with_capacity(declaration.inputs.len());
        for (position, input) in declaration.inputs.iter().enumerate() {
            let feeding: Vec<_> = (0..fields.len()).filter(|field| fed[*field].contains(&position)).collect();
            let datatype = datatype(Some(input));
            let source = match feeding[..] {
                [] => {
                    in_graph(format!(
                        "no field feeds the input {:?}: add a field with this name or this `input`",
                        input.name
                    ));
                    continue;
                }
                [field] if fields[field].is_tensor() => {
                    let part = fed[field].iter().position(|input| *input == position).unwrap_or_default();
                    Source::Tensor { field, part }
                }
                [_, ..] => {
                    if let Some(tensor) = feeding.iter().find(|field| fields[**field].is_tensor()) {
                        in_graph(format!(
                            "the field {:?} must be the only one that feeds the input {:?}: set another `input` for the others",
                            fields[*tensor].name(),
                            input.name
                        ));
                        continue;
                    }
                    let width = feeding.iter().map(|field| fields[*field].width()).sum();
                    if let Some(columns) = input.columns().filter(|columns| *columns != width) {
                        in_graph(format!(
                            "reads {columns} columns, but the fields of model.toml make {width}: correct one of them"
                        ));
                        continue;
                    }
                    Source::Columns { fields: feeding, width }
                }
            };
            all.push(Self { name: input.name.clone(), datatype, source });
        }
        all
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its first dimension is that of the batch.
    pub fn is_batched(&self, fields: &[Field]) -> bool {
        match &self.source {
            Source::Columns { .. } => true,
            Source::Tensor { field, .. } => fields[*field].is_batched(),
        }
    }

    pub fn datatype(&self) -> DataType {
        self.datatype
    }

    /// Without the batch dimension.
    pub fn shape<'a>(&'a self, fields: &'a [Field]) -> Vec<Size<'a>> {
        match &self.source {
            Source::Columns { width, .. } => vec![Size::Fixed(*width)],
            Source::Tensor { field, .. } => fields[*field].tensor_shape(),
        }
    }

    /// A tensor of zeros for one input.
    pub(crate) fn blank(&self, fields: &[Field]) -> Tensor {
        let shape = match &self.source {
            Source::Columns { width, .. } => vec![1, *width],
            Source::Tensor { field, .. } => {
                let batch = fields[*field].is_batched().then_some(1);
                batch.into_iter().chain(fields[*field].usual_shape()).collect()
            }
        };
        Tensor::zeros(self.datatype, shape)
    }

    /// Its tensor for some inputs. `None` if they cannot run together.
    pub(crate) fn feed(&self, fields: &[Field], inputs: &[&Input]) -> Option<Tensor> {
        match &self.source {
            Source::Columns { fields: positions, width } => {
                let mut numbers = Vec::with_capacity(width * inputs.len());
                for input in inputs {
                    for position in positions {
                        fields[*position].encode(input.value(*position), &mut numbers);
                    }
                }
                Some(Tensor::from_numbers(self.datatype, vec![inputs.len(), *width], &numbers))
            }
            Source::Tensor { field, part } if !fields[*field].is_batched() => match inputs {
                [input] => input.value(*field).tensor(*part).cloned(),
                _ => None,
            },
            Source::Tensor { field, part } => {
                let tensors = inputs.iter().map(|input| input.value(*field).tensor(*part));
                Tensor::stack(&tensors.collect::<Option<Vec<_>>>()?)
            }
        }
    }
}

impl TensorDeclaration {
    /// The number of columns, if it declares one.
    fn columns(&self) -> Option<usize> {
        match self.shape.as_deref()? {
            [_, DeclaredSize::Fixed(columns), ..] => Some(*columns),
            _ => None,
        }
    }
}
