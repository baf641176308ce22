//! Reading a backup, and finding out whether it is whole.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::{ENDED, FORMAT, FRAME_HEAD, FRAME_LIMIT, GONE, HEADER, Header, MAGIC, ROWS, Summary, TRAILER};
use crate::store::ledger::SCHEMA_VERSION;

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not a backup of hookyard")]
    NotABackup,
    /// Both are numbers of the format or of the store's schema.
    #[error("it was made by a newer version: its {what} is {found}, and this one knows {known}")]
    Newer { what: &'static str, found: u32, known: u32 },
    #[error("it is cut off at byte {at}")]
    Truncated { at: u64 },
    #[error("it is damaged at byte {at}: {what}")]
    Damaged { at: u64, what: &'static str },
    /// The server said why before it ended the backup.
    #[error("the server ended it: {0}")]
    Ended(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A backup that is being read.
pub struct Decoder<R> {
    from: R,
    header: Header,
    hash: Sha256,
    at: u64,
    rows: u64,
}

struct Frame {
    /// Where it begins.
    at: u64,
    kind: u8,
    payload: Vec<u8>,
    /// Of everything before it.
    hash: Sha256,
}

/// Reads a backup to its end.
///
/// # Errors
/// When it is not whole.
pub fn verify(from: impl Read) -> Result<Summary, Error> {
    Decoder::begin(from)?.rows(|_, _| Ok::<(), Error>(()))
}

impl<R: Read> Decoder<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// When it is that of no backup, or of one that only a newer version can read.
    pub fn begin(from: R) -> Result<Self, Error> {
        let header = Header { schema: 0, made_at: Default::default(), version: String::new() };
        let mut decoder = Self { from, header, hash: Sha256::new(), at: 0, rows: 0 };
        let mut magic = [0; MAGIC.len()];
        match decoder.fill(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Ok(()) | Err(Error::Truncated { .. }) => return Err(Error::NotABackup),
            Err(error) => return Err(error),
        }
        let mut format = [0; 4];
        decoder.fill(&mut format)?;
        known("format", u32::from_be_bytes(format), FORMAT)?;
        let frame = decoder.frame()?;
        let damaged = || Error::Damaged { at: frame.at, what: "its header cannot be read" };
        if frame.kind != HEADER {
            return Err(damaged());
        }
        decoder.header = serde_json::from_slice(&frame.payload).map_err(|_| damaged())?;
        known("schema", decoder.header.schema, SCHEMA_VERSION)?;
        Ok(decoder)
    }

    /// What the backup begins with.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Hands every row to `each`, in order: a later one replaces an earlier one of the same key, and one without a value
    /// is gone. When this returns `Ok`, the backup was whole; before that, no row can be relied upon.
    ///
    /// # Errors
    /// When the backup is not whole, or `each` fails.
    pub fn rows<E: From<Error>>(
        mut self,
        mut each: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        loop {
            let frame = self.frame()?;
            match frame.kind {
                ROWS => self.rows_of(&frame, &mut each)?,
                TRAILER => return Ok(self.end(&frame)?),
                ENDED => {
                    return Err(Error::Ended(String::from_utf8_lossy(&frame.payload).into_owned()).into());
                }
                _ => return Err(Error::Damaged { at: frame.at, what: "a frame of an unknown kind" }.into()),
            }
        }
    }

    fn rows_of<E: From<Error>>(
        &mut self,
        frame: &Frame,
        each: &mut impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = frame.payload.as_slice();
        while !rest.is_empty() {
            let (key, value) = row(&mut rest)
                .ok_or(Error::Damaged { at: frame.at, what: "a row that goes beyond its frame" })?;
            each(key, value)?;
            self.rows += 1;
        }
        Ok(())
    }

    fn end(mut self, trailer: &Frame) -> Result<Summary, Error> {
        let damaged = |what| Error::Damaged { at: trailer.at, what };
        let (rows, hash) =
            trailer.payload.split_first_chunk::<8>().ok_or_else(|| damaged("a trailer that is too short"))?;
        if u64::from_be_bytes(*rows) != self.rows {
            return Err(damaged("rows are missing"));
        }
        if hash != trailer.hash.clone().finalize().as_slice() {
            return Err(damaged("its SHA-256 differs"));
        }
        let bytes = self.at;
        match self.fill(&mut [0]) {
            Err(Error::Truncated { .. }) => Ok(Summary { header: self.header, rows: self.rows, bytes }),
            Ok(()) => Err(Error::Damaged { at: bytes, what: "something follows its end" }),
            Err(error) => Err(error),
        }
    }

    fn frame(&mut self) -> Result<Frame, Error> {
        let (at, hash) = (self.at, self.hash.clone());
        let mut head = [0; FRAME_HEAD];
        self.fill(&mut head)?;
        let [a, b, c, d, checksum @ .., kind] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > FRAME_LIMIT {
            return Err(Error::Damaged { at, what: "a frame that is longer than any" });
        }
        let mut payload = vec![0; length];
        self.fill(&mut payload)?;
        let mut computed = crc32fast::Hasher::new();
        computed.update(&[kind]);
        computed.update(&payload);
        if computed.finalize() != u32::from_be_bytes(checksum) {
            return Err(Error::Damaged { at, what: "its CRC-32 differs" });
        }
        Ok(Frame { at, kind, payload, hash })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.from.read(&mut bytes[filled..]) {
                Ok(0) => return Err(Error::Truncated { at: self.at + filled as u64 }),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.hash.update(&*bytes);
        self.at += filled as u64;
        Ok(())
    }
}

fn known(what: &'static str, found: u32, known: u32) -> Result<(), Error> {
    if found > known { Err(Error::Newer { what, found, known }) } else { Ok(()) }
}

/// Takes a row off the beginning.
fn row<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let (key_length, behind) = rest.split_first_chunk::<2>()?;
    let (length, behind) = behind.split_first_chunk::<4>()?;
    let (key, behind) = behind.split_at_checked(u16::from_be_bytes(*key_length).into())?;
    let (value, behind) = match u32::from_be_bytes(*length) {
        GONE => (None, behind),
        length => {
            let (value, behind) = behind.split_at_checked(length as usize)?;
            (Some(value), behind)
        }
    };
    *rest = behind;
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Encoder;
    use super::*;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn encoded(rows: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::begin(&mut bytes, Header::now(SCHEMA_VERSION)).unwrap();
        rows.iter().for_each(|(key, value)| encoder.row(key, value.as_deref()).unwrap());
        encoder.finish().unwrap();
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<Rows, Error> {
        let mut rows = Rows::new();
        Decoder::begin(bytes)?.rows(|key, value| {
            match value {
                Some(value) => drop(rows.insert(key.to_vec(), value.to_vec())),
                None => drop(rows.remove(key)),
            }
            Ok::<(), Error>(())
        })?;
        Ok(rows)
    }

    fn a_few() -> Vec<u8> {
        let rows: Vec<_> = (0..9u8).map(|n| (vec![n], Some(vec![n; 20_000]))).collect();
        encoded(&rows)
    }

    proptest! {
        #[test]
        fn the_last_word_on_a_key_counts(rows: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
            let mut expected = Rows::new();
            for (key, value) in &rows {
                match value {
                    Some(value) => drop(expected.insert(key.clone(), value.clone())),
                    None => drop(expected.remove(key)),
                }
            }
            prop_assert_eq!(decoded(&encoded(&rows)).unwrap(), expected);
        }

        #[test]
        fn a_flipped_bit_is_found(at in 0..200_000usize, bit in 0..8u8) {
            let mut bytes = a_few();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(decoded(&bytes).is_err());
        }

        #[test]
        fn a_missing_end_is_found(length in 0..200_000usize) {
            let bytes = a_few();
            let cut = &bytes[..length % bytes.len()];
            let found = decoded(cut).unwrap_err();
            let is_named = match found {
                Error::NotABackup => cut.len() < MAGIC.len(),
                Error::Truncated { at } => at == cut.len() as u64,
                _ => false,
            };
            prop_assert!(is_named, "{}: {}", cut.len(), found);
        }
    }

    #[test]
    fn a_backup_has_the_bytes_that_it_always_had() {
        let made_at = crate::clock::Timestamp(1_768_473_000_000);
        let header = Header { schema: 1, made_at, version: "0.1.0".to_owned() };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::begin(&mut bytes, header).unwrap();
        encoder.row(b"key", Some(b"value")).unwrap();
        encoder.row(b"gone", None).unwrap();
        encoder.finish().unwrap();
        assert_eq!(hex::encode(bytes), GOLDEN);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let mut bytes = a_few();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let trailer = bytes.len() - FRAME_HEAD - 40;
        let found = decoded(&bytes).unwrap_err().to_string();
        assert_eq!(found, format!("it is damaged at byte {trailer}: its CRC-32 differs"));
    }

    #[test]
    fn what_follows_the_end_is_damage() {
        let mut bytes = a_few();
        bytes.push(0);
        assert!(matches!(decoded(&bytes), Err(Error::Damaged { what: "something follows its end", .. })));
    }

    #[test]
    fn a_frame_that_was_taken_out_is_missed() {
        let rows: Vec<_> = (0..9u8).map(|n| (vec![n], Some(vec![n; FRAME_BYTES_OF_A_ROW]))).collect();
        let (all, fewer) = (encoded(&rows), encoded(&rows[..8]));
        let end = FRAME_HEAD + 40;
        let spliced = [&fewer[..fewer.len() - end], &all[all.len() - end..]].concat();
        assert!(matches!(decoded(&spliced), Err(Error::Damaged { what: "rows are missing", .. })));
    }

    #[test]
    fn a_newer_format_or_schema_says_so() {
        let mut bytes = a_few();
        bytes[MAGIC.len() + 3] = 9;
        assert_eq!(
            decoded(&bytes).unwrap_err().to_string(),
            "it was made by a newer version: its format is 9, and this one knows 1"
        );
        let mut bytes = Vec::new();
        Encoder::begin(&mut bytes, Header::now(SCHEMA_VERSION + 1)).unwrap().finish().unwrap();
        assert!(matches!(decoded(&bytes), Err(Error::Newer { what: "schema", .. })));
    }

    #[test]
    fn the_servers_reason_to_end_it_comes_through() {
        let mut bytes = Vec::new();
        Encoder::begin(&mut bytes, Header::now(SCHEMA_VERSION)).unwrap().give_up("too slow").unwrap();
        assert_eq!(decoded(&bytes).unwrap_err().to_string(), "the server ended it: too slow");
    }

    #[test]
    fn anything_else_is_not_a_backup() {
        assert!(matches!(decoded(b"PK\x03\x04 and so on"), Err(Error::NotABackup)));
        assert!(matches!(decoded(b""), Err(Error::NotABackup)));
    }

    const GOLDEN: &str = "89484b59424b0d0a0000000100000036c9819cd3687b22736368656d61223a312c226d6164655f6d73223a313736383437333030303030302c2276657273696f6e223a22302e312e30227d000000182522fd9c720003000000056b657976616c75650004ffffffff676f6e65000000283d3ad5a574000000000000000256465709c9407814106342b05869974fc09c3afb65a23814297e9d018a389e73";

    /// One row fills a frame.
    const FRAME_BYTES_OF_A_ROW: usize = super::super::FRAME_BYTES;
}
