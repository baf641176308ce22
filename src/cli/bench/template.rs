//! A template: a text that is ready but for the digits of one event, so that a request costs no formatting.

use super::monotonic;

/// Where the event's number goes.
pub const NUMBER: &str = "NNNNNNNNNN";
/// Where the time goes at which it should have been sent.
pub const TIME: &str = "TTTTTTTTTTTTTTTTTTT";
/// Where its number goes among so many hooks.
pub const HOOK: &str = "HHHHHH";

/// What is added so that every number has the same digits, none of them leading zeros.
const FIRST_NUMBER: u64 = 1_000_000_000;
const FIRST_TIME: u64 = 1_000_000_000_000_000_000;
/// Between the number and the time.
const BETWEEN: &[u8] = br#","t":"#;

/// A text and where its gaps are.
#[derive(Clone)]
pub struct Template {
    text: Vec<u8>,
    numbers: Vec<usize>,
    times: Vec<usize>,
    hooks: Vec<usize>,
    /// Among how many hooks an event's number counts.
    of_hooks: u32,
}

/// What the data of an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub number: u32,
    /// When it should have been sent.
    pub due_ns: u64,
}

impl Template {
    pub fn new(text: &str, of_hooks: u32) -> Self {
        let gaps = |mark: &str| text.match_indices(mark).map(|(at, _)| at).collect();
        Self {
            numbers: gaps(NUMBER),
            times: gaps(TIME),
            hooks: gaps(HOOK),
            of_hooks: of_hooks.max(1),
            text: text.as_bytes().to_vec(),
        }
    }

    /// The text for an event.
    pub fn fill(&mut self, event: Told) -> &[u8] {
        write(&mut self.text, &self.numbers, NUMBER.len(), FIRST_NUMBER + u64::from(event.number));
        write(&mut self.text, &self.times, TIME.len(), FIRST_TIME + event.due_ns);
        write(&mut self.text, &self.hooks, HOOK.len(), u64::from(event.number % self.of_hooks));
        &self.text
    }
}

impl Told {
    /// An event that is due now.
    pub fn now(number: u32) -> Self {
        Self { number, due_ns: monotonic::now_ns() }
    }

    /// What a delivered body tells.
    pub fn read(body: &[u8]) -> Option<Self> {
        const MARK: &[u8] = br#""n":"#;
        let at = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
        let (number, rest) = body.get(at..)?.split_at_checked(NUMBER.len())?;
        let time = rest.strip_prefix(BETWEEN)?.get(..TIME.len())?;
        Some(Self {
            number: digits(number)?.checked_sub(FIRST_NUMBER)?.try_into().ok()?,
            due_ns: digits(time)?.checked_sub(FIRST_TIME)?,
        })
    }
}

/// The data of an event, of so many bytes, with gaps.
pub fn data(bytes: usize) -> String {
    let head = format!(r#"{{"n":{NUMBER},"t":{TIME},"pad":""#);
    let pad = bytes.saturating_sub(head.len() + 2);
    format!(r#"{head}{}"}}"#, "x".repeat(pad))
}

/// The path of a hook.
pub fn path_of(hook: u32) -> String {
    format!("/{}", FIRST_NUMBER + u64::from(hook))
}

/// The hook whose path this is, or the first one if it has none.
pub fn hook_of(path: &str) -> u32 {
    let number = digits(path.as_bytes().get(1..).unwrap_or_default());
    number.and_then(|number| number.checked_sub(FIRST_NUMBER)?.try_into().ok()).unwrap_or(0)
}

fn write(text: &mut [u8], gaps: &[usize], digits: usize, mut value: u64) {
    let Some((first, others)) = gaps.split_first() else {
        return;
    };
    for digit in text[*first..*first + digits].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    for gap in others {
        text.copy_within(*first..*first + digits, *gap);
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_read_back_from_a_delivered_body() {
        let text =
            format!(r#"{{"event":"new_lead","timestamp":"2025-01-15T10:30:00Z","data":{}}}"#, data(200));
        let mut template = Template::new(&text, 1);
        for event in [Told { number: 0, due_ns: 1 }, Told { number: 1234, due_ns: 987_654_321 }] {
            assert_eq!(Told::read(template.fill(event)), Some(event));
        }
        assert_eq!(data(200).len(), 200);
        assert_eq!(Told::read(b"{}"), None);
        assert_eq!(Told::read(br#"{"n":1000000000}"#), None);
    }

    #[test]
    fn every_gap_is_filled_and_a_hook_counts_among_its_number() {
        let mut template = Template::new(&format!("{NUMBER} {NUMBER} {HOOK}"), 100);
        let filled = template.fill(Told { number: 312, due_ns: 0 });
        assert_eq!(filled, b"1000000312 1000000312 000012");
    }

    #[test]
    fn a_hook_is_known_by_its_path() {
        assert_eq!(hook_of(&path_of(77)), 77);
        assert_eq!(hook_of("/"), 0);
        let mut template = Template::new(&format!("/{NUMBER}"), 1);
        assert_eq!(template.fill(Told { number: 77, due_ns: 0 }), path_of(77).as_bytes());
    }
}
