//! Workloads: which predictions are requested, in which order.

use super::Random;

/// The distribution of requests.
#[derive(Clone, Debug)]
pub(crate) enum Workload {
    /// The nth most popular input is requested in proportion to 1/n to the power of this exponent.
    Zipf(f64),
    /// Zipf with exponent 1, interrupted by four sequential scans, which are a fifth of the requests.
    Scans,
    /// Zipf with exponent 1 over a third of the inputs; each prediction of the other inputs is requested at most once.
    OneHitWonders,
    /// Zipf with exponent 1; halfway, other inputs become popular.
    Change,
    /// The inputs of a file, in file order.
    File(Vec<u32>),
}

/// The numbers of inputs and predictions. Request `input * predictions + prediction` is for one prediction of one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) predictions: usize,
}

const SCANS: usize = 4;
const MOST_WONDERS: f64 = 0.3;

impl Workload {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Zipf(exponent) => format!("Zipf {exponent:.1}"),
            Self::Scans => "scans".to_owned(),
            Self::OneHitWonders => "one-hit wonders".to_owned(),
            Self::Change => "change of popularity".to_owned(),
            Self::File(_) => "requests of the file".to_owned(),
        }
    }

    pub(crate) fn description(&self, shape: Shape, requests: usize) -> String {
        match self {
            Self::Zipf(exponent) => {
                format!("the *n*th most popular input is requested in proportion to 1/*n*^{exponent:.1}")
            }
            Self::Scans => format!(
                "Zipf 1.0, interrupted {SCANS} times by a batch job that asks for predictions in a row, each once; a fifth of all requests"
            ),
            Self::OneHitWonders => format!(
                "Zipf 1.0 over a third of the inputs; {:.0} % of the requests are for predictions that are never requested again",
                wonder_share(shape, requests) * 100.0
            ),
            Self::Change => "Zipf 1.0; halfway through, other inputs become popular".to_owned(),
            Self::File(_) => "the inputs of the file, in its order".to_owned(),
        }
    }

    /// Generates `requests` requests, which are the same for the same seed. The predictions of an input are equally likely. A file has its own
    /// number of requests.
    pub(crate) fn requests(&self, shape: Shape, requests: usize, seed: u64) -> Vec<u32> {
        let mut random = Random::new(seed);
        match self {
            Self::Zipf(exponent) => popular(shape, shape.inputs, *exponent, requests, &mut random),
            Self::Scans => with_scans(shape, requests, &mut random),
            Self::OneHitWonders => with_wonders(shape, requests, &mut random),
            Self::Change => {
                let mut before = popular(shape, shape.inputs, 1.0, requests / 2, &mut random);
                before.extend(popular(shape, shape.inputs, 1.0, requests - requests / 2, &mut random));
                before
            }
            Self::File(inputs) => inputs.iter().map(|input| shape.some_prediction(*input, &mut random)).collect(),
        }
    }
}

impl Shape {
    /// The number of possible requests.
    pub(crate) fn all(self) -> usize {
        self.inputs * self.predictions
    }

    fn some_prediction(self, input: u32, random: &mut Random) -> u32 {
        input * self.predictions as u32 + random.below(self.predictions as u64) as u32
    }

    fn shuffled(self, random: &mut Random) -> Vec<u32> {
        let mut inputs: Vec<u32> = (0..self.inputs as u32).collect();
        for last in (1..inputs.len()).rev() {
            inputs.swap(last, random.below(last as u64 + 1) as usize);
        }
        inputs
    }
}

/// Draws ranks, starting at 0, in proportion to 1 / (rank + 1) to the power of an exponent.
pub(crate) struct Zipf(Vec<f64>);

impl Zipf {
    pub(crate) fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let add = |rank: usize| {
            sum += (rank as f64).powf(-exponent);
            sum
        };
        Self((1..=ranks).map(add).collect())
    }

    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let point = random.fraction() * self.0.last().expect("there is a rank");
        self.0.partition_point(|sum| *sum <= point).min(self.0.len() - 1)
    }
}

fn popular(shape: Shape, popular: usize, exponent: f64, requests: usize, random: &mut Random) -> Vec<u32> {
    let inputs = shape.shuffled(random);
    let ranks = Zipf::new(popular, exponent);
    (0..requests)
        .map(|_| {
            let input = inputs[ranks.draw(random)];
            shape.some_prediction(input, random)
        })
        .collect()
}

fn with_scans(shape: Shape, requests: usize, random: &mut Random) -> Vec<u32> {
    let scan = requests / 5 / SCANS;
    let usual = popular(shape, shape.inputs, 1.0, requests - SCANS * scan, random);
    let mut row = (0..shape.all() as u32).cycle().skip(random.below(shape.all() as u64) as usize);
    let mut all = Vec::with_capacity(requests);
    for part in usual.chunks(usual.len().div_ceil(SCANS)) {
        all.extend(part);
        all.extend(row.by_ref().take(scan));
    }
    all
}

/// The share of one-time requests: less than the maximum if there are too few such predictions.
fn wonder_share(shape: Shape, requests: usize) -> f64 {
    let wonders = (shape.inputs - shape.inputs.div_ceil(3)) * shape.predictions;
    MOST_WONDERS.min(wonders as f64 / requests as f64)
}

fn with_wonders(shape: Shape, requests: usize, random: &mut Random) -> Vec<u32> {
    let share = wonder_share(shape, requests);
    let inputs = shape.shuffled(random);
    let (popular, others) = inputs.split_at(shape.inputs.div_ceil(3));
    let predictions = shape.predictions as u32;
    // First every input's first prediction, then every input's second one, so that requests for the same input are far apart.
    let mut wonders =
        (0..predictions).flat_map(|prediction| others.iter().map(move |input| input * predictions + prediction));
    let ranks = Zipf::new(popular.len(), 1.0);
    (0..requests)
        .map(|_| {
            let wonder = if random.fraction() < share { wonders.next() } else { None };
            wonder.unwrap_or_else(|| {
                let input = popular[ranks.draw(random)];
                shape.some_prediction(input, random)
            })
        })
        .collect()
}
