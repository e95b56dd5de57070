//! Guesses at what was meant.

/// How alike two texts have to be, from 0 (nothing in common) to 1 (equal).
const ALIKE: f64 = 0.6;

/// The same if several candidates contain the text: `single` could be a man or a woman.
const VERY_ALIKE: f64 = 0.75;

/// Longer texts get no suggestion: comparing takes the product of the lengths.
const LONGEST: usize = 80;

/// The candidate that `text` was probably meant to be: the one that differs in case, spaces or punctuation only, else
/// the only one that has words which begin with it, else the most alike one by edit distance, if it is alike enough.
///
/// The opposite is never guessed: `employed` is not `unemployed`. A text with a number in it is taken literally: `4 years` is
/// close to `1 <= ... < 4 years`, but not in it.
pub fn closest<'a>(text: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let wanted = (text.len() <= LONGEST).then(|| normalised(text)).filter(|wanted| !wanted.is_empty())?;
    if let Some(same) = candidates.clone().find(|candidate| normalised(candidate) == wanted) {
        return Some(same);
    }
    if wanted.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let opposite = |candidate: &&str| {
        let known = normalised(candidate);
        let negates =
            |one: &str, other: &str| ["un", "non", "not"].iter().any(|no| one.strip_prefix(no) == Some(other));
        negates(&known, &wanted) || negates(&wanted, &known)
    };
    let candidates = candidates.filter(|candidate| !opposite(candidate));
    let most_alike = |least: f64| {
        let alike = |candidate| (strsim::normalized_damerau_levenshtein(&normalised(candidate), &wanted), candidate);
        let scored = candidates.clone().map(alike).filter(|(score, _)| *score >= least);
        scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, candidate)| candidate)
    };
    let wanted_words = words(text);
    let mut holding = candidates.clone().filter(|candidate| words(candidate).contains(&wanted_words));
    match (holding.next(), holding.next()) {
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => most_alike(VERY_ALIKE),
        (None, _) => most_alike(ALIKE),
    }
}

/// Without what people write in more than one way: case, spaces, dots, underscores, colons and the like. Comparisons
/// (`<`) count.
fn normalised(text: &str) -> String {
    let counts = |c: &char| c.is_alphanumeric() || matches!(c, '<' | '>' | '=');
    text.chars().filter(counts).flat_map(char::to_lowercase).collect()
}

/// As [`normalised`], with a space before each word: `employment` is in `present_employment_since`, `age` not in `percentage`.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!(" {}", normalised(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_the_candidate_that_is_most_alike_if_any_is() {
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
            assert_eq!(closest(text, names.into_iter()), expected, "{text:?}");
        }
    }
}
