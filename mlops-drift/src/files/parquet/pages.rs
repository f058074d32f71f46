//! The pages of a column chunk: header, size, checksum and counts first, then the decoder.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use ::parquet::basic::Type;
use ::parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::ColumnChunkMetaData;
use bytes::Bytes;

use super::super::fence::Broken;
use super::budget::Budget;
use super::codec::Codec;
use super::header::{Body, Header};
use super::thrift::Wrong;
use super::{footer, lengths};

/// What is read to find a header in; most are a tenth of it.
const HEADER: usize = 512;
/// Headers carry the smallest and the largest value of their page.
const LARGEST_HEADER: usize = 1 << 20;

/// The pages of one chunk, in their order.
pub(super) struct Pages {
    file: Arc<File>,
    budget: Arc<Budget>,
    codec: Codec,
    /// Where the next header begins, and where the chunk ends.
    at: u64,
    end: u64,
    next: Option<Header>,
    seen: bool,
    physical: Type,
    fixed: usize,
    repetition: i16,
    definition: i16,
    /// What the budget counts for the dictionary and for the page that is read.
    dictionary: usize,
    page: usize,
}

impl Pages {
    pub(super) fn new(
        file: Arc<File>,
        budget: Arc<Budget>,
        chunk: &ColumnChunkMetaData,
    ) -> Result<Self, Broken> {
        let column = chunk.column_descr();
        let range = footer::range(chunk).and_then(|(at, size)| Some((at, at.checked_add(size)?)));
        let Some((at, end)) = range else {
            return Err(Broken::corrupt(
                "a parquet file has a column chunk that lies outside of it",
            ));
        };
        Ok(Self {
            file,
            budget,
            codec: Codec::new(chunk.compression()),
            at,
            end,
            next: None,
            seen: false,
            physical: column.physical_type(),
            fixed: usize::try_from(column.type_length()).unwrap_or(0),
            repetition: column.max_rep_level(),
            definition: column.max_def_level(),
            dictionary: 0,
            page: 0,
        })
    }

    /// Bytes of a value in a dictionary, at least.
    fn width(&self) -> usize {
        match self.physical {
            Type::BOOLEAN => 1,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => self.fixed.max(1),
        }
    }

    fn read_at(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        self.budget.count_read(length as u64);
        Ok(bytes)
    }

    /// Reads the next header, unless that was done; `false` at the end.
    fn look(&mut self) -> Result<bool, Broken> {
        let mut size = HEADER;
        while self.next.is_none() {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(false);
            }
            let mut file = &*self.file;
            file.seek(SeekFrom::Start(self.at))?;
            let mut bytes = vec![0; size.min(left)];
            file.read_exact(&mut bytes)?;
            match Header::read(&bytes) {
                Ok((header, length)) => {
                    self.at += length as u64;
                    self.budget.count_read(length as u64);
                    self.next = Some(header);
                }
                Err(Wrong::Short) if size < left && size < LARGEST_HEADER => size *= 8,
                Err(_) => {
                    return Err(Broken::corrupt(
                        "a page header of a parquet file can't be decoded",
                    ));
                }
            }
            let packed = self.next.as_ref().map_or(0, |header| header.packed as u64);
            if packed > self.end - self.at {
                return Err(Broken::corrupt("a page of a parquet file is longer than its column"));
            }
            if matches!(self.next, Some(Header { body: Body::Index, .. })) {
                self.at += packed;
                self.next = None;
                size = HEADER;
            }
        }
        Ok(true)
    }

    fn turn(&mut self) -> Result<Option<Page>, Broken> {
        if !self.look()? {
            self.budget.close(self.page);
            self.page = 0;
            return Ok(None);
        }
        let Some(header) = self.next.take() else { return Ok(None) };
        let is_dictionary = matches!(header.body, Body::Dictionary { .. });
        if is_dictionary && self.seen {
            return Err(Broken::corrupt("a parquet file has a dictionary behind the first page"));
        }
        self.seen = true;
        self.reserve(&header, is_dictionary)?;
        let packed = self.read_at(self.at, header.packed)?;
        self.at += header.packed as u64;
        if header.checksum.is_some_and(|sum| sum != crc32fast::hash(&packed)) {
            return Err(Broken::corrupt("a page of a parquet file has another checksum"));
        }
        let bytes = self.plain(&header, packed)?;
        let cost = lengths::cost(&header.body, [self.repetition, self.definition], &bytes)?;
        self.budget.grow(cost)?;
        self.page = self.page.saturating_add(cost);
        page(header.body, bytes).map(Some)
    }

    /// Takes what the page will need from the budget.
    fn reserve(&mut self, header: &Header, is_dictionary: bool) -> Result<(), Broken> {
        let values = match header.body {
            Body::Data { values, .. } | Body::DataV2 { values, .. } => values,
            Body::Dictionary { values, .. } => values,
            Body::Index => 0,
        };
        if is_dictionary {
            if values.saturating_mul(self.width()) > header.plain {
                let what = "a dictionary of a parquet file has fewer values than it says";
                return Err(Broken::corrupt(what));
            }
            let each = if self.physical == Type::FIXED_LEN_BYTE_ARRAY { 48 } else { 16 };
            let cost = header.plain.saturating_add(values.saturating_mul(each));
            self.budget.turn(self.dictionary, cost)?;
            self.dictionary = cost;
        } else {
            // A row may hold any number of values where they repeat.
            let each = if self.repetition > 0 { self.width().saturating_add(8) } else { 0 };
            let cost = header.plain.saturating_add(values.saturating_mul(each));
            self.budget.turn(self.page, cost)?;
            self.page = cost;
        }
        Ok(())
    }

    /// The bytes of a page, of the size that its header says.
    fn plain(&mut self, header: &Header, packed: Vec<u8>) -> Result<Bytes, Broken> {
        let levels = match header.body {
            Body::DataV2 { definition, repetition, .. } => definition + repetition,
            _ => 0,
        };
        if levels > header.plain || levels > packed.len() {
            return Err(Broken::corrupt("a page of a parquet file is shorter than its levels"));
        }
        let is_plain = matches!(header.body, Body::DataV2 { is_compressed: false, .. });
        if self.codec.is_plain() || is_plain {
            if packed.len() != header.plain {
                return Err(Broken::corrupt("a page of a parquet file has another size"));
            }
            return Ok(packed.into());
        }
        let mut bytes = Vec::with_capacity(header.plain);
        bytes.extend_from_slice(&packed[..levels]);
        // A page without a value may have no compressed bytes at all.
        if header.plain > levels {
            self.codec.decompress(&packed[levels..], header.plain - levels, &mut bytes)?;
        }
        Ok(bytes.into())
    }
}

/// A page as the decoder takes it.
fn page(body: Body, buf: Bytes) -> Result<Page, Broken> {
    let number = |count: usize| {
        u32::try_from(count).map_err(|_| Broken::corrupt("a page of a parquet file is too long"))
    };
    Ok(match body {
        Body::Data { values, encoding, definition, repetition } => Page::DataPage {
            buf,
            num_values: number(values)?,
            encoding,
            def_level_encoding: definition,
            rep_level_encoding: repetition,
            statistics: None,
        },
        Body::DataV2 { values, nulls, rows, encoding, definition, repetition, is_compressed } => {
            Page::DataPageV2 {
                buf,
                num_values: number(values)?,
                encoding,
                num_nulls: number(nulls)?,
                num_rows: number(rows)?,
                def_levels_byte_len: number(definition)?,
                rep_levels_byte_len: number(repetition)?,
                is_compressed,
                statistics: None,
            }
        }
        Body::Dictionary { values, encoding, is_sorted } => {
            Page::DictionaryPage { buf, num_values: number(values)?, encoding, is_sorted }
        }
        Body::Index => return Err(Broken::corrupt("a parquet file has an index among its pages")),
    })
}

impl Pages {
    /// Decoders keep only the text of an error, so the error itself is kept beside them.
    fn kept<T>(&self, result: Result<T, Broken>) -> ParquetResult<T> {
        result.map_err(|broken| {
            self.budget.keep(broken);
            ParquetError::General("a page can't be read".to_owned())
        })
    }
}

impl Iterator for Pages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.turn();
        self.kept(page)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        let looked = self.look();
        self.kept(looked)?;
        let Some(header) = &self.next else { return Ok(None) };
        let (rows, levels, is_dict) = match header.body {
            Body::Data { values, .. } => (None, Some(values), false),
            Body::DataV2 { values, rows, .. } => (Some(rows), Some(values), false),
            Body::Dictionary { .. } | Body::Index => (None, None, true),
        };
        Ok(Some(PageMetadata { num_rows: rows, num_levels: levels, is_dict }))
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        let looked = self.look();
        self.kept(looked)?;
        if let Some(header) = self.next.take() {
            self.at += header.packed as u64;
            self.seen = true;
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.budget.close(self.page.saturating_add(self.dictionary));
    }
}

/// The one chunk that a column has in a row group.
pub(super) struct OneChunk(pub(super) Option<Pages>);

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for OneChunk {}
