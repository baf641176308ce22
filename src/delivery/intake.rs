//! Intake: how much is read of a response.
//!
//! The HTTP library takes up to 128 KiB for a head, and parses it anew with every piece: dear in memory, and dear in time
//! when it comes a byte at a time. Here a head is followed to its end and cut off when it is too long, and so is what
//! follows it. Whether it is HTTP is left to the library.

/// The longest head, in bytes. Proxies commonly pass on 4 to 8 KiB. The HTTP library holds a head, the names of
/// its headers once more, and at times a buffer of 32 KiB for what follows.
pub const HEAD: usize = 10 * 1024;
/// The most lines in a head, the empty one at its end included. With more, the HTTP library's map of headers is doubled
/// to 128 places of 208 bytes each.
pub const LINES: usize = 58;
/// The most that is read after a head so that the connection can be used again, in bytes on the wire. A receiver has
/// nothing to say that is longer, and under TLS a record of 16 KiB is held before and after it is decrypted.
pub const BODY: usize = 4 * 1024;

/// One response, as far as it has come.
#[derive(Debug, Default)]
pub struct Intake {
    place: Place,
    head: usize,
    lines: usize,
    body: usize,
    /// Whether some of the body came that was not passed on.
    is_cut: bool,
}

/// The response goes on for longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    #[error("the head of the response has more than {HEAD} bytes or {LINES} lines")]
    Head,
    #[error("the body of the response has more than {BODY} bytes")]
    Body,
}

/// Where in a response the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the status line, where empty lines do not count.
    #[default]
    Start,
    Line,
    /// After a line; an empty one would be the head's end.
    Break,
    Body,
}

impl Intake {
    /// Sees that there is something left to read: what was cut off does not come again.
    ///
    /// # Errors
    /// When the body had more than is read.
    pub fn goes_on(&self) -> Result<(), TooLong> {
        if self.is_cut { Err(TooLong::Body) } else { Ok(()) }
    }

    /// Takes note of what comes next of the response, and tells how many bytes of that may pass.
    ///
    /// # Errors
    /// When the head is too long by now.
    pub fn pass(&mut self, bytes: &[u8]) -> Result<usize, TooLong> {
        for (passed, byte) in bytes.iter().enumerate() {
            if self.place == Place::Body {
                let (come, room) = (bytes.len() - passed, BODY - self.body);
                self.body += come.min(room);
                self.is_cut = come > room;
                return Ok(passed + come.min(room));
            }
            self.head += 1;
            self.lines += usize::from(self.place != Place::Start && *byte == b'\n');
            self.place = self.place.after(*byte);
            if self.head > HEAD || self.lines > LINES {
                return Err(TooLong::Head);
            }
        }
        Ok(bytes.len())
    }
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b'\r' | b'\n') => Self::Start,
            (Self::Line, b'\n') | (Self::Break, b'\r') => Self::Break,
            (Self::Break, b'\n') | (Self::Body, _) => Self::Body,
            (Self::Start | Self::Line | Self::Break, _) => Self::Line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(head: &[u8]) -> Result<Intake, TooLong> {
        let mut passed = Intake::default();
        for piece in head.chunks(7) {
            assert_eq!(passed.pass(piece)?, piece.len());
        }
        Ok(passed)
    }

    #[test]
    fn a_head_ends_with_an_empty_line_however_lines_end() {
        for head in
            ["HTTP/1.1 200 OK\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\na: b\n\n", "\r\n\nHTTP/1.1 200 OK\n\r\n"]
        {
            assert_eq!(passed(head.as_bytes()).unwrap().place, Place::Body, "{head:?}");
            let unfinished = &head.as_bytes()[..head.len() - 1];
            assert_ne!(passed(unfinished).unwrap().place, Place::Body, "{head:?}");
        }
    }

    #[test]
    fn a_body_has_a_limit_of_its_own() {
        let mut response = passed(b"HTTP/1.1 200 OK\r\n\r\nbody").unwrap();
        assert_eq!(response.pass(&[b'\n'; BODY]), Ok(BODY - 4));
        assert_eq!(response.goes_on(), Err(TooLong::Body));

        let mut response = passed(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        assert_eq!(response.pass(&[b'x'; BODY]), Ok(BODY));
        assert_eq!(response.goes_on(), Ok(()), "it may have been all");
        assert_eq!(response.pass(b"x"), Ok(0));
        assert_eq!(response.goes_on(), Err(TooLong::Body));
    }

    #[test]
    fn a_head_of_many_lines_is_too_long() {
        let of = |lines: usize| ["HTTP/1.1 200 OK\n", &"x: y\n".repeat(lines - 2), "\n"].concat();
        assert_eq!(passed(of(LINES).as_bytes()).map(drop), Ok(()));
        assert_eq!(passed(of(LINES + 1).as_bytes()).map(drop), Err(TooLong::Head));
    }

    #[test]
    fn a_head_that_does_not_end_is_too_long() {
        for piece in ["\r\n", "x", "xy: "] {
            let endless = piece.repeat(HEAD + 1);
            assert_eq!(passed(&endless.as_bytes()[..HEAD]).map(drop), Ok(()), "{piece:?}");
            assert_eq!(passed(&endless.as_bytes()[..=HEAD]).map(drop), Err(TooLong::Head), "{piece:?}");
        }
    }
}
