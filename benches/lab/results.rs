//! All measurements, and the figures derived from them.

use std::{collections::HashMap, time::Duration};

use prediction_cache::Layout;

use super::{
    optimum::most_hits,
    plan::{POLICIES, Plan},
    runs::{Case, Run, Spread},
    weight::{PLAIN, Weight},
    workload::{Shape, Workload},
};

/// Policies count as equally good if their hit ratios differ by less than this.
const EQUAL: f64 = 0.005;

/// A larger tier must save at least this additional share of the reads from Redis.
const WORTH_IT: f64 = 0.1;

pub(crate) struct Results {
    pub(crate) plan: Plan,
    pub(crate) model: String,
    pub(crate) shape: Shape,
    pub(crate) workloads: Vec<Workload>,
    /// The number of requests per run.
    pub(crate) requests: usize,
    pub(crate) weights: Vec<Weight>,
    /// The memory for entries per memory size, in bytes.
    pub(crate) rooms: Vec<u64>,
    pub(crate) runs: Vec<Run>,
    /// The optimum's hit ratio by workload, memory size and seed.
    pub(crate) optima: HashMap<(usize, usize, usize), f64>,
    pub(crate) redis_version: String,
    pub(crate) redis_settings: Vec<(String, String)>,
    pub(crate) took: Duration,
}

impl Results {
    /// The runs of the layout `string` without a tier.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.case.layout == Layout::String && run.case.tier == 0)
    }

    fn plain_spread(&self, wanted: impl Fn(&Case) -> bool) -> Spread {
        Spread::of(self.plain().filter(|run| wanted(&run.case)).map(|run| run.outcome.hit_ratio()))
    }

    pub(crate) fn hits(&self, workload: usize, share: usize, policy: &str) -> Spread {
        self.plain_spread(|case| (case.workload, case.share, case.policy) == (workload, share, policy))
    }

    /// A policy's hit ratio over all workloads and memory sizes.
    pub(crate) fn overall(&self, policy: &str) -> f64 {
        self.plain_spread(|case| case.policy == policy).mean
    }

    /// The best policy; the first one if several are equally good.
    pub(crate) fn best_policy(&self) -> &'static str {
        let ratios = POLICIES.map(|policy| self.overall(policy));
        let best = ratios.iter().copied().fold(0.0, f64::max);
        let first = POLICIES.iter().zip(ratios).find(|(_, ratio)| *ratio > best - EQUAL);
        first.map_or(POLICIES[0], |(policy, _)| policy)
    }

    /// Computes, for each workload, memory size and seed, the hits of an optimal cache with as many entries as the fullest Redis had.
    pub(crate) fn find_optima(&mut self, traffic: &[Vec<Vec<u32>>]) {
        let mut capacities: HashMap<_, usize> = HashMap::new();
        for run in self.plain() {
            let capacity = capacities.entry((run.case.workload, run.case.share, run.case.seed)).or_default();
            *capacity = run.outcome.most_keys.max(*capacity);
        }
        let optimum = |((workload, share, seed), capacity): ((usize, usize, usize), usize)| {
            let requests: &[u32] = &traffic[workload][seed];
            ((workload, share, seed), most_hits(requests, capacity) as f64 / requests.len() as f64)
        };
        self.optima = capacities.into_iter().map(optimum).collect();
    }

    pub(crate) fn optimum(&self, workload: usize, share: usize) -> Spread {
        let cells = self.optima.iter().filter(|((w, s, _), _)| (*w, *s) == (workload, share));
        Spread::of(cells.map(|(_, ratio)| *ratio))
    }

    /// The hit ratio of a layout with the best policy, for the workload for comparing layouts.
    pub(crate) fn layout_hits(&self, layout: Layout, share: usize) -> Spread {
        let (workload, policy) = (self.plan.usual_workload(), self.best_policy());
        let cases = self.runs.iter().filter(|run| {
            let case = run.case;
            (case.workload, case.share, case.policy, case.tier) == (workload, share, policy, 0) && case.layout == layout
        });
        Spread::of(cases.map(|run| run.outcome.hit_ratio()))
    }

    /// The runs with a tier of this size and the best policy.
    pub(crate) fn tier_runs(&self, workload: usize, tier: usize) -> impl Iterator<Item = &Run> {
        let (share, policy) = (self.plan.usual_share, self.best_policy());
        self.runs.iter().filter(move |run| {
            let case = run.case;
            (case.workload, case.share, case.policy, case.tier) == (workload, share, policy, tier)
                && case.layout == Layout::String
        })
    }

    pub(crate) fn taken_off(&self, workload: usize, tier: usize) -> Spread {
        Spread::of(self.tier_runs(workload, tier).map(|run| run.outcome.taken_off()))
    }

    /// The share of reads saved, over all workloads.
    pub(crate) fn usually_taken_off(&self, tier: usize) -> Spread {
        Spread::of((0..self.workloads.len()).map(|workload| self.taken_off(workload, tier).mean))
    }

    pub(crate) fn weight(&self, name: &str) -> &Weight {
        self.weights.iter().find(|weight| weight.name == name).expect("everything was weighed")
    }

    /// The layout with the best hit ratio for the same memory.
    pub(crate) fn best_layout(&self) -> Layout {
        let hits = |layout: Layout| self.layout_hits(layout, self.plan.usual_share).mean;
        Layout::ALL.into_iter().max_by(|one, other| hits(*one).total_cmp(&hits(*other))).unwrap_or_default()
    }

    /// The largest tier that saves enough more reads than the next smaller one.
    pub(crate) fn best_tier(&self) -> usize {
        let worth_it =
            |sizes: &[usize]| self.usually_taken_off(sizes[1]).mean - self.usually_taken_off(sizes[0]).mean >= WORTH_IT;
        self.plan.tiers.windows(2).rfind(|sizes| worth_it(sizes)).map_or(0, |sizes| sizes[1])
    }

    /// The recommended settings, in two sentences.
    pub(crate) fn advice(&self) -> String {
        let percent = |ratio: f64| format!("{:.1} %", ratio * 100.0);
        let (policy, layout, tier, share) =
            (self.best_policy(), self.best_layout(), self.best_tier(), self.plan.usual_share);
        let cells = self.optima.len() as f64;
        let optimum = self.optima.values().sum::<f64>() / cells;
        let other = if policy == "allkeys-lru" { "allkeys-lfu" } else { "allkeys-lru" };
        let memory = if tier == 0 {
            "keep `MEMORY_CACHE_ENTRIES` at its default, since this traffic gives a tier in the process little to do"
                .to_owned()
        } else {
            let taken = self.usually_taken_off(tier);
            format!(
                "set `MEMORY_CACHE_ENTRIES` to {}, which takes {} of the reads off Redis",
                thousands(tier),
                percent(taken.mean)
            )
        };
        format!(
            "Set `maxmemory-policy` to `{policy}`: over {} it answers {} of the requests from Redis, against {} with `{other}`, {} with \
             `noeviction` and {} at best. \
             Store predictions with `CACHE_LAYOUT={}`, which needs {:.0} bytes per input (`string`: {:.0}) and, in the memory that {:.0} % of \
             all `string` entries take, answers {} (`string`: {}), and {memory}.",
            if self.workloads.len() == 1 { "all memory sizes" } else { "all workloads and memory sizes" },
            percent(self.overall(policy)),
            percent(self.overall(other)),
            percent(self.overall("noeviction")),
            percent(optimum),
            layout.name(),
            self.weight(layout.name()).used,
            self.weight(Layout::String.name()).used,
            self.plan.shares[share] * 100.0,
            percent(self.layout_hits(layout, share).mean),
            percent(self.layout_hits(Layout::String, share).mean),
        )
    }

    /// The violated requirements.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                violations.push(what);
            }
        };
        for Run { case, outcome } in &self.runs {
            let answered = outcome.here + outcome.hits + outcome.misses;
            must(answered == outcome.requests, format!("{case:?}: {answered} of {} requests", outcome.requests));
            must(outcome.wrong == 0, format!("{case:?}: {} wrong values", outcome.wrong));
            let may_fail = case.policy == "noeviction";
            must(outcome.failed_writes == 0 || may_fail, format!("{case:?}: {} failed writes", outcome.failed_writes));
            must(outcome.evictions == 0 || !may_fail, format!("{case:?}: {} evictions", outcome.evictions));
        }
        for run in self.plain() {
            let (case, ratio) = (run.case, run.outcome.hit_ratio());
            let optimum = self.optima[&(case.workload, case.share, case.seed)];
            must(ratio <= optimum, format!("{case:?}: {ratio} is more than the optimum, {optimum}"));
        }
        for workload in 0..self.workloads.len() {
            for sizes in self.plan.tiers.windows(2) {
                let [less, more] = [sizes[0], sizes[1]].map(|tier| self.taken_off(workload, tier).mean);
                must(less <= more, format!("{:?}: a larger tier takes less off", self.workloads[workload]));
            }
        }
        if self.shape.predictions > 1 {
            for names in [["output", "hash"], ["hash", "string"], ["string", PLAIN]] {
                let [less, more] = names.map(|name| self.weight(name).used);
                must(less < more, format!("{} takes {less} bytes per input, {} {more}", names[0], names[1]));
            }
        }
        violations
    }
}

/// A number with commas between the thousands.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
