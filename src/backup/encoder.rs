//! Writing a backup.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{
    ENDED, FORMAT, FRAME_BYTES, FRAME_HEAD, FRAME_LIMIT, GONE, HEADER, Header, MAGIC, ROWS, Summary, TRAILER,
};

/// A backup that is being written.
pub struct Encoder<W> {
    to: W,
    header: Header,
    hash: Sha256,
    /// The rows of the next frame.
    payload: Vec<u8>,
    rows: u64,
    bytes: u64,
}

impl<W: Write> Encoder<W> {
    /// Writes the beginning.
    ///
    /// # Errors
    /// When `to` takes no more, as in all of these.
    pub fn begin(to: W, header: Header) -> io::Result<Self> {
        let payload = serde_json::to_vec(&header)?;
        let mut encoder = Self {
            to,
            header,
            hash: Sha256::new(),
            payload: Vec::with_capacity(FRAME_BYTES),
            rows: 0,
            bytes: 0,
        };
        encoder.write(&MAGIC)?;
        encoder.write(&FORMAT.to_be_bytes())?;
        encoder.frame(HEADER, &payload)?;
        Ok(encoder)
    }

    /// Adds a row, or that it is gone.
    pub fn row(&mut self, key: &[u8], value: Option<&[u8]>) -> io::Result<()> {
        let too_long = || io::Error::other("a row is too long for a backup");
        let key_length = u16::try_from(key.len()).map_err(|_| too_long())?;
        let length = match value {
            None => GONE,
            Some(value) if value.len() <= FRAME_LIMIT / 2 => value.len() as u32,
            Some(_) => return Err(too_long()),
        };
        self.payload.extend_from_slice(&key_length.to_be_bytes());
        self.payload.extend_from_slice(&length.to_be_bytes());
        self.payload.extend_from_slice(key);
        self.payload.extend_from_slice(value.unwrap_or_default());
        self.rows += 1;
        if self.payload.len() >= FRAME_BYTES { self.flush_rows() } else { Ok(()) }
    }

    /// Writes the end.
    pub fn finish(mut self) -> io::Result<Summary> {
        self.flush_rows()?;
        let mut trailer = self.rows.to_be_bytes().to_vec();
        trailer.extend_from_slice(&self.hash.clone().finalize());
        self.frame(TRAILER, &trailer)?;
        self.to.flush()?;
        Ok(Summary { header: self.header, rows: self.rows, bytes: self.bytes })
    }

    /// Says why there is no end.
    pub fn give_up(mut self, why: &str) -> io::Result<()> {
        self.frame(ENDED, why.as_bytes())?;
        self.to.flush()
    }

    fn flush_rows(&mut self) -> io::Result<()> {
        if self.payload.is_empty() {
            return Ok(());
        }
        let mut payload = std::mem::take(&mut self.payload);
        self.frame(ROWS, &payload)?;
        payload.clear();
        self.payload = payload;
        Ok(())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&[kind]);
        checksum.update(payload);
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        frame.extend_from_slice(&checksum.finalize().to_be_bytes());
        frame.push(kind);
        frame.extend_from_slice(payload);
        self.write(&frame)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}
