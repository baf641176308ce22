//! Withholding: what a receiver repeats of a hook's own headers is not kept of its answer.
//!
//! The first bytes of an answer are kept with its attempt, shown to whoever looks at the delivery, and lie on the disk.
//! Receivers for trying things out repeat the whole request. Credentials go to the receiver alone, so stars stand where
//! one is repeated as it was sent; one that comes back in another form is not recognised.

/// Shorter values are no credentials, and stand for themselves in many a text.
const LEAST: usize = 8;
/// Of a value that is cut off by the end of what is kept, so much is recognised.
const LEAST_CUT_OFF: usize = 4;

/// Puts stars wherever `value`, or the part of it behind the scheme, such as `Bearer`, is repeated.
pub fn withhold(value: &[u8], response: &mut [u8]) {
    let credential = value.iter().position(|byte| *byte == b' ').map(|space| &value[space + 1..]);
    for part in [Some(value), credential].into_iter().flatten().filter(|part| part.len() >= LEAST) {
        for at in 0..response.len() {
            let length = part.len().min(response.len() - at);
            let is_whole = length == part.len();
            if (is_whole || length >= LEAST_CUT_OFF) && response[at..at + length] == part[..length] {
                response[at..at + length].fill(b'*');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(response: &str) -> String {
        let mut response = response.as_bytes().to_vec();
        withhold(b"Bearer 0123456789", &mut response);
        String::from_utf8(response).unwrap()
    }

    #[test]
    fn what_is_repeated_is_withheld_with_its_scheme_or_without() {
        assert_eq!(
            kept(r#"{"authorization":"Bearer 0123456789"}"#),
            r#"{"authorization":"*****************"}"#
        );
        assert_eq!(kept("token 0123456789, 0123456789"), "token **********, **********");
        assert_eq!(kept("nothing of it: 012345678"), "nothing of it: *********", "it may have been cut off");
    }

    #[test]
    fn what_is_cut_off_by_the_end_is_withheld_too() {
        assert_eq!(kept("token 01234"), "token *****");
        assert_eq!(kept("Bearer 0"), "********");
        assert_eq!(kept("year 012"), "year 012");
    }

    #[test]
    fn other_texts_and_short_values_stay() {
        assert_eq!(kept("no bearer of 0123 is here"), "no bearer of 0123 is here");
        assert_eq!(kept(""), "");
        let mut response = b"acme".to_vec();
        withhold(b"acme", &mut response);
        assert_eq!(response, b"acme");
    }
}
