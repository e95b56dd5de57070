//! All applicants: each of the model's possible inputs with the model's own answer. Requests are for one applicant, for the same
//! applicant several times at once, or for many applicants.

use std::borrow::Cow;

use serde_json::json;

use crate::{models, random::Random};

/// Requests repeat in groups of this size.
const TURN: usize = 64;
/// The first requests of a group, one per connection, are for the same applicant.
const MEET: usize = 8;
/// The last request of a group is an array of this many applicants.
const MANY: usize = 20;

/// A request body and the body of the right answer.
#[derive(Clone)]
pub struct Applicant {
    pub body: String,
    pub truth: String,
}

/// All applicants and their popularity.
pub struct Population {
    applicants: Vec<Applicant>,
    /// The cumulative shares of the applicants in the requests, not normalised.
    cumulative: Vec<f64>,
}

impl Population {
    /// Shuffles the applicants. The nth is requested in proportion to 1/n, as in Zipf's law.
    pub fn new(seed: u64) -> Self {
        let model = models::shipped();
        let categories = models::categories(&model);
        let [(foreign, foreign_workers), (employment, employments), (status, statuses)] = &categories[..] else {
            panic!("{categories:?}")
        };
        let mut applicants = Vec::with_capacity(20_600);
        for rate in [0.1, 0.22, 0.3, 0.5] {
            for age in 18_u8..=120 {
                for foreign_worker in foreign_workers {
                    for since in employments {
                        for status_and_sex in statuses {
                            let body = json!({
                                "installment_rate_in_percentage_of_disposable_income": rate,
                                "age_in_years": age,
                                (*foreign): foreign_worker,
                                (*employment): since,
                                (*status): status_and_sex,
                            });
                            let body = body.to_string();
                            let truth = models::answer(&model, "/probabilities", body.as_bytes()).expect("valid");
                            applicants.push(Applicant { body, truth });
                        }
                    }
                }
            }
        }
        let mut random = Random::new(seed);
        for last in (1..applicants.len()).rev() {
            applicants.swap(last, random.below(last as u64 + 1) as usize);
        }
        let mut sum = 0.0;
        let cumulative = (1..=applicants.len())
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Self { applicants, cumulative }
    }

    pub fn size(&self) -> usize {
        self.applicants.len()
    }

    pub fn favourite(&self) -> &Applicant {
        &self.applicants[0]
    }

    /// The nth request of a run, for one or many applicants. It depends only on `seed` and `n`, so that two runs send the same requests.
    pub fn request(&self, seed: u64, n: usize) -> Cow<'_, Applicant> {
        match n % TURN {
            turn if turn < MEET => Cow::Borrowed(self.drawn(seed, n - turn, 0)),
            turn if turn == TURN - 1 => {
                let drawn: Vec<_> = (0..MANY).map(|position| self.drawn(seed, n, position)).collect();
                let array = |of: fn(&Applicant) -> &str| {
                    format!("[{}]", drawn.iter().map(|applicant| of(applicant)).collect::<Vec<_>>().join(","))
                };
                Cow::Owned(Applicant {
                    body: array(|applicant| &applicant.body),
                    truth: array(|applicant| &applicant.truth),
                })
            }
            _ => Cow::Borrowed(self.drawn(seed, n, 0)),
        }
    }

    fn drawn(&self, seed: u64, n: usize, position: usize) -> &Applicant {
        let total = self.cumulative[self.cumulative.len() - 1];
        let of_request = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((position as u64) << 32);
        let point = Random::new(seed ^ of_request).fraction() * total;
        &self.applicants[self.cumulative.partition_point(|sum| *sum <= point).min(self.applicants.len() - 1)]
    }
}
