//! "Did you mean …": finds the candidate that a text most likely stands for.

/// The minimum similarity of a suggestion, from 0 (nothing in common) to 1 (equal).
const MIN_SIMILARITY: f64 = 0.6;

/// The same if several candidates contain the text: `single` matches `male: single` and `female: single`.
const MIN_SIMILARITY_IF_AMBIGUOUS: f64 = 0.75;

/// In bytes. Longer texts get no suggestion, because a comparison takes time in proportion to the product of the lengths.
const MAX_LENGTH: usize = 80;

/// The candidate that `text` most likely stands for: the one that differs only in case, spaces or punctuation, else the only one
/// with words that begin with it, else the most similar one by edit distance, if it is similar enough.
///
/// Never suggests the opposite, such as `unemployed` for `employed`. A text with a digit must match exactly: `4 years` is similar to
/// `1 <= ... < 4 years`, but outside it.
pub fn closest_match<'a>(text: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let query = (text.len() <= MAX_LENGTH).then(|| normalised(text)).filter(|query| !query.is_empty())?;
    if let Some(same) = candidates.clone().find(|candidate| normalised(candidate) == query) {
        return Some(same);
    }
    if query.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let opposite = |candidate: &&str| {
        let candidate = normalised(candidate);
        let negates =
            |one: &str, other: &str| ["un", "non", "not"].iter().any(|no| one.strip_prefix(no) == Some(other));
        negates(&candidate, &query) || negates(&query, &candidate)
    };
    let candidates = candidates.filter(|candidate| !opposite(candidate));
    let most_similar = |least: f64| {
        let score = |candidate| (strsim::normalized_damerau_levenshtein(&normalised(candidate), &query), candidate);
        let scored = candidates.clone().map(score).filter(|(score, _)| *score >= least);
        scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, candidate)| candidate)
    };
    let query_words = words(text);
    let mut containing = candidates.clone().filter(|candidate| words(candidate).contains(&query_words));
    match (containing.next(), containing.next()) {
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => most_similar(MIN_SIMILARITY_IF_AMBIGUOUS),
        (None, _) => most_similar(MIN_SIMILARITY),
    }
}

/// The work of [`closest_match`], in pairs of characters that are compared. Each candidate is also normalised a few times.
pub(crate) fn work<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> usize {
    const NORMALISATION: usize = 24;
    if text.len() > MAX_LENGTH {
        0
    } else {
        candidates.map(|known| (known.len() + 8) * (text.len() + NORMALISATION)).sum()
    }
}

/// Lower case, without spaces and punctuation. Comparisons (`<`) are kept.
fn normalised(text: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, '<' | '>' | '=');
    text.chars().filter(is_kept).flat_map(char::to_lowercase).collect()
}

/// Normalised words, each after a space, so that `employment` is found in `present_employment_since`, but `age` not in `percentage`.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!(" {}", normalised(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_candidate_is_suggested_if_it_is_similar_enough() {
        let names = ["male: single", "female: single", "... < 1 year", "1 <= ... < 4 years", "unemployed", "yes", "no"];
        for (text, expected) in [
            ("male:single", Some("male: single")),
            ("MALE  SINGLE", Some("male: single")),
            ("femal: single", Some("female: single")),
            ("fem", Some("female: single")),
            ("< 1 Year", Some("... < 1 year")),
            ("4 years", None),
            ("Yes", Some("yes")),
            ("y", None),
            ("ye", None),
            ("e", None),
            ("single", None),
            ("", None),
            ("  ", None),
            ("employed", None),
            ("unemployd", Some("unemployed")),
            ("Not employed", Some("unemployed")),
            (&"male: single".repeat(10), None),
        ] {
            assert_eq!(closest_match(text, names.into_iter()), expected, "{text:?}");
        }
    }
}
