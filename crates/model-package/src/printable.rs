//! Text from a package, a file or Redis, made safe to print.

use std::{borrow::Cow, fmt::Write};

/// Text with its control characters escaped, except line breaks and tabs: whoever wrote the text must not control the terminal that it
/// is printed on. The escapes are also valid within JSON's strings: `\u001b`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character| !matches!(character, '\n' | '\t'))
}

/// Like [`printable`], but also without line breaks and tabs: for text within a line.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| true)
}

/// Escapes the control characters that `is_escaped` names.
fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |character: char| controls_terminal(character) && is_escaped(character);
    if !text.contains(is_escaped) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' if is_escaped('\n') => escaped.push_str("\\n"),
            '\t' if is_escaped('\t') => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            _ if is_escaped(character) => {
                // Writing to a String does not fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped.into()
}

/// Control characters, with which terminals move the cursor or set their title, and the characters that reverse the direction of text.
fn controls_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_all_others_kept() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{7}\u{9b}31m\u{7f}\u{202e}\r\n\tc"),
            "a\\u001b[2Jb\\u0007\\u009b31m\\u007f\\u202e\\r\n\tc"
        );
        assert_eq!(printable_line("a\nb\tc\u{0}"), "a\\nb\\tc\\u0000");
        for kept in ["", "µs, é, 日本, \u{1f600}", "{\"a\": \"\\u001b\"}"] {
            assert!(matches!(printable_line(kept), Cow::Borrowed(text) if text == kept), "{kept}");
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = "\u{9b}31m\u{7f}\u{202e}";
        let json = serde_json::to_string(text).expect("text");
        let printed = printable(&json);
        assert_ne!(printed, json);
        assert_eq!(serde_json::from_str::<String>(&printed).expect("JSON"), text);
    }
}
