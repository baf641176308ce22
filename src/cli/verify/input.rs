//! The input: a body as it was received, or a whole HTTP request around it.

use super::super::fields::Fields;

/// What there is to verify.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub fields: Fields,
    pub body: Vec<u8>,
}

/// More than any server adds to what a request has.
const FIELDS_LIMIT: usize = 128;

impl Input {
    /// Takes the bytes for a request if they begin as one, or else for a body.
    ///
    /// # Errors
    /// Why a request cannot be read, for whoever saved it.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        if !begins_as_request(&bytes) {
            return Ok(Self { fields: Fields::default(), body: bytes });
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_LIMIT];
        let mut request = httparse::Request::new(&mut fields);
        let head = match request.parse(&bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) => {
                return Err(
                    "the request ends within its head: an empty line comes before the body".to_owned()
                );
            }
            Err(error) => return Err(format!("the head of the request is not HTTP: {error}")),
        };
        let field = |field: &httparse::Header<'_>| {
            (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())
        };
        let fields: Fields = request.headers.iter().map(field).collect();
        let body = body(&fields, &bytes[head..])?.to_vec();
        Ok(Self { fields, body })
    }
}

/// What belongs to the body of what follows the head. A saved request often has a line's end behind it.
fn body<'a>(fields: &Fields, rest: &'a [u8]) -> Result<&'a [u8], String> {
    if fields.get("transfer-encoding").is_some() {
        return Err(
            "the request's body is in chunks; give the body alone, and the headers with --header".to_owned()
        );
    }
    let Some(length) = fields.get("content-length") else { return Ok(rest) };
    let length = length.parse().map_err(|_| format!("content-length is no number: {length}"))?;
    let missing = || format!("the body has {} bytes, not the {length} of content-length", rest.len());
    rest.get(..length).ok_or_else(missing)
}

fn begins_as_request(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let is_method = !method.is_empty() && method.iter().all(u8::is_ascii_uppercase);
    is_method && words.next().is_some() && words.next().is_some_and(|version| version.starts_with(b"HTTP/1."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Input, String> {
        Input::read(text.as_bytes().to_vec())
    }

    #[test]
    fn a_request_is_told_from_a_body() {
        for body in ["", "{}", "POST", "POST it\n", "null\r\nPOST / HTTP/1.1\r\n\r\n"] {
            assert_eq!(read(body).unwrap(), Input { body: body.into(), ..Input::default() });
        }
        for end in ["\r\n", "\n"] {
            let lines = ["POST /a HTTP/1.1", "Host: a", "Webhook-Id: evt_1", "content-length: 2", "", "{}"];
            let input = read(&(lines.join(end) + "\n")).unwrap();
            assert_eq!(input.fields.get("webhook-id"), Some("evt_1"));
            assert_eq!(input.body, b"{}");
        }
    }

    #[test]
    fn a_request_that_is_not_whole_is_refused() {
        assert!(read("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n{}").unwrap_err().contains("2 bytes"));
        assert!(read("POST / HTTP/1.1\r\nhost: a\r\n").unwrap_err().contains("within its head"));
        assert!(read("POST / HTTP/1.1\r\nno header\r\n\r\n").unwrap_err().contains("not HTTP"));
        let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert!(read(chunked).unwrap_err().contains("chunks"));
    }
}
