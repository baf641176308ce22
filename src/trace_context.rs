//! Trace contexts: which trace an event belongs to, and who its parent is in it, as W3C Trace Context has it.
//!
//! What breaks the rules of <https://www.w3.org/TR/trace-context/> is no context, and is not repaired. What an emitter
//! sent on is sent on to the receivers.

use std::fmt;
use std::str::FromStr;

/// The longest `tracestate` that is carried, in characters; the least that the specification asks for (3.3.1.5).
pub const TRACESTATE_LIMIT: usize = 512;

/// Where an event stands in a distributed trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    state: Option<Box<str>>,
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent as W3C Trace Context has it")]
pub struct NotATraceparent;

/// The length of a `traceparent` of the first version, in bytes.
const LENGTH: usize = 55;
/// The flags that have a meaning: sampled, and random trace id. Others are sent as zero (3.2.2.5).
const KNOWN_FLAGS: u8 = SAMPLED | 0x02;
const SAMPLED: u8 = 0x01;
/// The most members of a `tracestate` (3.3.1.1).
const MEMBERS_LIMIT: usize = 32;
/// The longest key and the longest value of a member (3.3.1.3), in characters.
const MEMBER_TEXT_LIMIT: usize = 256;

impl TraceContext {
    /// The context of these parts; nothing where one of the ids is all zeros, which none may be.
    pub(crate) fn of(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Option<Self> {
        let is_valid = trace_id != [0; 16] && parent_id != [0; 8];
        is_valid.then_some(Self { trace_id, parent_id, flags: flags & KNOWN_FLAGS, state: None })
    }

    /// The same with what vendors have to say of the trace, in the form of the header `tracestate`. Where it breaks the
    /// rules or is longer than [`TRACESTATE_LIMIT`], it is left out.
    pub fn with_tracestate(self, text: &str) -> Self {
        Self { state: tracestate(text), ..self }
    }

    /// The number of the trace, never all zeros.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The number of the span that comes before, never all zeros.
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// The trace's flags.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether whoever began the trace wants it recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The value of the header `tracestate`, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// Reads the value of the header `traceparent`. Of a version of the future, it reads what the first one has (4.3).
impl FromStr for TraceContext {
    type Err = NotATraceparent;

    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let (known, further) = text.as_bytes().split_at_checked(LENGTH).ok_or(NotATraceparent)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let [version] = field(fields.next())?;
        let (trace_id, parent_id) = (field(fields.next())?, field(fields.next())?);
        let [flags] = field(fields.next())?;
        let ends_well = match version {
            0 => further.is_empty(),
            0xff => false,
            _ => further.is_empty() || further.starts_with(b"-"),
        };
        let context = Self::of(trace_id, parent_id, flags).ok_or(NotATraceparent)?;
        if ends_well && fields.next().is_none() { Ok(context) } else { Err(NotATraceparent) }
    }
}

/// As the header `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, parent_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.parent_id));
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{:02x}", self.flags)
    }
}

/// The bytes of a field that has twice as many digits, in lower case.
fn field<const N: usize>(text: Option<&[u8]>) -> Result<[u8; N], NotATraceparent> {
    let text = text.filter(|text| !text.iter().any(u8::is_ascii_uppercase)).ok_or(NotATraceparent)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| NotATraceparent)?;
    Ok(bytes)
}

/// The members of a `tracestate`, without the white space and the empty ones between them; nothing where it is none.
fn tracestate(text: &str) -> Option<Box<str>> {
    let members =
        text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let members: Vec<&str> = members.take(MEMBERS_LIMIT + 1).collect();
    let is_valid = members.len() <= MEMBERS_LIMIT && members.iter().all(|member| is_member(member));
    let whole = members.join(",");
    (is_valid && (1..=TRACESTATE_LIMIT).contains(&whole.len())).then(|| whole.into())
}

/// Whether it is a key and a value (3.3.1.3).
fn is_member(text: &str) -> bool {
    let in_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let in_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    text.split_once('=').is_some_and(|(key, value)| {
        let begins_well = key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
        let fits = key.len() <= MEMBER_TEXT_LIMIT && (1..=MEMBER_TEXT_LIMIT).contains(&value.len());
        begins_well && fits && key.bytes().all(in_key) && value.bytes().all(in_value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(text: &str) -> Option<String> {
        text.parse::<TraceContext>().ok().map(|context| context.to_string())
    }

    #[test]
    fn a_traceparent_is_read_and_written_as_it_was() {
        assert_eq!(read(EXAMPLE).as_deref(), Some(EXAMPLE));
        let context: TraceContext = EXAMPLE.parse().unwrap();
        assert_eq!(hex::encode(context.trace_id()), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(hex::encode(context.parent_id()), "b7ad6b7169203331");
        assert!(context.is_sampled());
        assert!(!EXAMPLE.replace("-01", "-02").parse::<TraceContext>().unwrap().is_sampled());
    }

    #[test]
    fn flags_without_a_meaning_and_what_later_versions_add_are_left_out() {
        assert_eq!(read(&EXAMPLE.replace("-01", "-ff")), Some(EXAMPLE.replace("-01", "-03")));
        assert_eq!(read(&EXAMPLE.replacen("00-", "cc-", 1)).as_deref(), Some(EXAMPLE));
        assert_eq!(read(&format!("cc{}-what-the-future-brings", &EXAMPLE[2..])).as_deref(), Some(EXAMPLE));
    }

    #[test]
    fn what_breaks_the_rules_is_no_traceparent() {
        let (trace_id, parent_id) = (&EXAMPLE[3..35], &EXAMPLE[36..52]);
        for wrong in [
            "",
            &EXAMPLE[..54],
            &format!("{EXAMPLE} "),
            &format!("{EXAMPLE}-"),
            &format!("cc{}.", &EXAMPLE[2..]),
            &format!("ff{}", &EXAMPLE[2..]),
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replace(trace_id, &"0".repeat(32)),
            &EXAMPLE.replace(parent_id, &"0".repeat(16)),
            &EXAMPLE.replace('-', "_"),
            &EXAMPLE.replace("b7ad6b71", "b7ad-b71"),
            &EXAMPLE.replace("b7ad6b71", "b7adgb71"),
            &EXAMPLE.replace("b7ad6b71", "b7adüb7"),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tracestate_is_carried_within_its_limits() {
        let kept = |text: &str| {
            let context = EXAMPLE.parse::<TraceContext>().unwrap().with_tracestate(text);
            context.tracestate().map(str::to_owned)
        };
        assert_eq!(
            kept("rojo=00f067aa, congo=t61r ,,1a@b=c!").as_deref(),
            Some("rojo=00f067aa,congo=t61r,1a@b=c!")
        );
        let long = format!("a={},b={}", "x".repeat(250), "y".repeat(257));
        assert_eq!(kept(&long), None, "a value of 257");
        let long = format!("a={},b={}", "x".repeat(251), "y".repeat(256));
        assert_eq!((kept(&long).map(|state| state.len()), kept(&format!("{long},c=d"))), (Some(512), None));
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(kept(&many(32)), Some(many(32)));
        for wrong in
            [&*many(33), "", " , ", "a", "=b", "a=", "A=b", "-a=b", "a=b=c", "a=b\u{7f}", "a=ü", "a=b\r\n"]
        {
            assert_eq!(kept(wrong), None, "{wrong:?}");
        }
    }
}
