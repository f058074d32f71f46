//! Rows of a CSV file as bytes, one at a time, none longer than allowed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::super::fence::Broken;
use super::super::options::Limits;

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// A file as rows of cells.
pub(super) struct Records {
    file: File,
    parser: Reader,
    delimiter: u8,
    /// What was read and not parsed yet: `block[start..end]`.
    block: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Bytes of the file that were parsed.
    parsed: u64,
    /// Where the row begins, line ends of the row before it included.
    row: u64,
    /// The cells of the row, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    most_bytes: usize,
}

impl Records {
    pub(super) fn open(file: File, limits: &Limits) -> Result<Self, Broken> {
        let mut records = Self {
            file,
            parser: Reader::new(),
            delimiter: b',',
            block: vec![0; BLOCK],
            start: 0,
            end: 0,
            at_end: false,
            parsed: 0,
            row: 0,
            bytes: vec![0; 4_096.min(limits.csv_row_bytes.max(1))],
            ends: Vec::new(),
            cells: 0,
            most_bytes: limits.csv_row_bytes.max(1),
        };
        records.file.rewind()?;
        records.fill()?;
        records.delimiter = delimiter(&records.block[..records.end]);
        records.parser = ReaderBuilder::new().delimiter(records.delimiter).build();
        Ok(records)
    }

    /// Says how many cells a row may have; one more is kept to tell that there are too many.
    pub(super) fn expect_at_most(&mut self, cells: usize) {
        self.ends = vec![0; cells + 1];
    }

    pub(super) const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) const fn position(&self) -> u64 {
        self.parsed
    }

    /// Where the row begins, or the empty lines above it.
    pub(super) const fn start(&self) -> u64 {
        self.row
    }

    /// How many cells the row has; one more than expected stands for any larger number.
    pub(super) const fn cells(&self) -> usize {
        self.cells
    }

    pub(super) fn cell(&self, at: usize) -> Option<&[u8]> {
        if at >= self.cells {
            return None;
        }
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.bytes.get(start..*self.ends.get(at)?)
    }

    /// Goes to the next row; `false` at the end of the file.
    pub(super) fn next(&mut self) -> Result<bool, Broken> {
        self.row = self.parsed;
        self.cells = 0;
        let mut used = 0;
        loop {
            if self.start == self.end && !self.at_end {
                self.fill()?;
            }
            let (result, read, written, cells) = self.parser.read_record(
                &self.block[self.start..self.end],
                &mut self.bytes[used..],
                &mut self.ends[self.cells..],
            );
            self.start += read;
            self.parsed += read as u64;
            used += written;
            self.cells += cells;
            match result {
                ReadRecordResult::Record | ReadRecordResult::OutputEndsFull => return Ok(true),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() >= self.most_bytes => {
                    let what = format!("a csv file has a row of more than {} bytes", used);
                    return Err(Broken::too_large(what));
                }
                ReadRecordResult::OutputFull => {
                    let larger = self.bytes.len().saturating_mul(2).min(self.most_bytes);
                    self.bytes.resize(larger, 0);
                }
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        // The mark at the head of some files must not be cut in two.
        while self.end < 3 {
            match self.file.read(&mut self.block[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    return Ok(());
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What separates the names in the first line: whichever of comma, tab and semicolon stands there most.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let count = |delimiter| line.iter().filter(|byte| **byte == delimiter).count();
    let more = |best: u8, other: u8| if count(other) > count(best) { other } else { best };
    more(more(b',', b'\t'), b';')
}

/// The number of the line, from 1, on which the row begins that was found at `start`.
pub(super) fn line(path: &Path, start: u64) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut line, mut at, mut last) = (1, 0_u64, 0);
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(line);
        }
        for &byte in block {
            if at >= start && !matches!(byte, b'\n' | b'\r') {
                return Ok(line);
            }
            // A line ends with \n, \r\n or \r.
            if byte == b'\r' || (byte == b'\n' && last != b'\r') {
                line += 1;
            }
            (at, last) = (at + 1, byte);
        }
        let length = block.len();
        reader.consume(length);
    }
}
