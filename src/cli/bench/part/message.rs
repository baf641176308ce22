//! Messages of HTTP/1.1, read as cheaply as can be: what the parts of a bench say to each other, and no more
//! of the protocol than that.

use std::io;

use httparse::{EMPTY_HEADER, Header, Status};

/// No message of a bench has as many.
const HEADERS: usize = 48;

/// A request that is there as a whole.
pub struct Request<'a> {
    pub path: &'a str,
    pub body: &'a [u8],
    /// Its bytes.
    pub length: usize,
}

/// A response that is there as a whole.
pub struct Response<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// Its bytes.
    pub length: usize,
}

impl<'a> Request<'a> {
    /// Reads one, unless more of it is to come.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &'a [u8]) -> io::Result<Option<Self>> {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Status::Complete(head) = request.parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let path = request.path.unwrap_or_default();
        let length = head + content_length(request.headers)?;
        Ok(bytes.get(head..length).map(|body| Self { path, body, length }))
    }
}

impl<'a> Response<'a> {
    /// Reads one, unless more of it is to come.
    ///
    /// # Errors
    /// When it is none, or has no length.
    pub fn read(bytes: &'a [u8]) -> io::Result<Option<Self>> {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let Status::Complete(head) = response.parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let length = head + content_length(response.headers)?;
        Ok(bytes.get(head..length).map(|body| Self { status, body, length }))
    }
}

fn content_length(headers: &[Header<'_>]) -> io::Result<usize> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let value = header.and_then(|header| std::str::from_utf8(header.value).ok());
    value.and_then(|value| value.parse().ok()).ok_or_else(|| io::Error::other("a message without a length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_all_of_it_is_there() {
        let bytes = b"POST /7 HTTP/1.1\r\nhost: a\r\nContent-Length: 2\r\n\r\n{}POST";
        for end in 0..bytes.len() - 4 {
            assert!(Request::read(&bytes[..end]).unwrap().is_none());
        }
        let request = Request::read(bytes).unwrap().unwrap();
        assert_eq!((request.path, request.body, request.length), ("/7", &b"{}"[..], bytes.len() - 4));
    }

    #[test]
    fn a_response_has_a_status_and_a_length() {
        let response =
            Response::read(b"HTTP/1.1 202 Accepted\r\ncontent-length: 1\r\n\r\nx").unwrap().unwrap();
        assert_eq!((response.status, response.body), (202, &b"x"[..]));
        assert!(Response::read(b"HTTP/1.1 202 Accepted\r\n\r\n").is_err());
        assert!(Response::read(b"nonsense\r\n\r\n").is_err());
    }
}
