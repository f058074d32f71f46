//! Decompression into as many bytes as a checked header announced, and not one more.

use std::io::Read;

use ::parquet::basic::Compression;
use zstd::bulk::Decompressor;

use super::super::fence::Broken;

/// One compression, with what it can use again.
pub(super) struct Codec {
    compression: Compression,
    snappy: snap::raw::Decoder,
    zstandard: Option<Decompressor<'static>>,
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, snappy: snap::raw::Decoder::new(), zstandard: None }
    }

    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.compression, Compression::UNCOMPRESSED)
    }

    /// Appends what `input` holds to `output`; that must be `size` bytes.
    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        size: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let start = output.len();
        output.resize(start + size, 0);
        let target = &mut output[start..];
        let written = match self.compression {
            Compression::UNCOMPRESSED => plain(input, target),
            Compression::SNAPPY => self.snappy.decompress(input, target).ok(),
            Compression::ZSTD(_) => self.zstandard(input, target)?,
            Compression::GZIP(_) => fill(flate2::read::MultiGzDecoder::new(input), target),
            Compression::BROTLI(_) => fill(brotli::Decompressor::new(input, 4_096), target),
            Compression::LZ4_RAW => lz4_flex::block::decompress_into(input, target).ok(),
            Compression::LZ4 => hadoop(input, target)
                .or_else(|| fill(lz4_flex::frame::FrameDecoder::new(input), target))
                .or_else(|| lz4_flex::block::decompress_into(input, target).ok()),
            Compression::LZO => None,
        };
        if written == Some(size) {
            return Ok(());
        }
        Err(Broken::corrupt("a page of a parquet file can't be decompressed"))
    }

    fn zstandard(&mut self, input: &[u8], target: &mut [u8]) -> Result<Option<usize>, Broken> {
        let decompressor = match self.zstandard.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let decompressor = self.zstandard.insert(decompressor);
        Ok(decompressor.decompress_to_buffer(input, target).ok())
    }
}

fn plain(input: &[u8], target: &mut [u8]) -> Option<usize> {
    (input.len() == target.len()).then(|| {
        target.copy_from_slice(input);
        input.len()
    })
}

/// Fills the target; nothing may be left over.
fn fill(mut source: impl Read, target: &mut [u8]) -> Option<usize> {
    source.read_exact(target).ok()?;
    let mut more = [0];
    (source.read(&mut more).ok()? == 0).then_some(target.len())
}

/// Blocks, each behind its two lengths, as Hadoop writes them.
fn hadoop(mut input: &[u8], target: &mut [u8]) -> Option<usize> {
    let mut written = 0_usize;
    while !input.is_empty() {
        let (head, rest) = input.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *head;
        let plain = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let packed = usize::try_from(u32::from_be_bytes([e, f, g, h])).ok()?;
        let (block, rest) = rest.split_at_checked(packed)?;
        let room = target.get_mut(written..written.checked_add(plain)?)?;
        if lz4_flex::block::decompress_into(block, room).ok()? != plain {
            return None;
        }
        (written, input) = (written + plain, rest);
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use ::parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};

    use super::*;

    fn packed(text: &[u8]) -> Vec<(Compression, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(text).expect("memory");
        let mut brotli = Vec::new();
        {
            let mut writer = brotli::CompressorWriter::new(&mut brotli, 4_096, 5, 20);
            writer.write_all(text).expect("memory");
        }
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        frame.write_all(text).expect("memory");
        let raw = lz4_flex::block::compress(text);
        let length = |length: usize| u32::try_from(length).expect("short").to_be_bytes();
        let hadoop = [&length(text.len())[..], &length(raw.len()), &raw].concat();
        vec![
            (Compression::UNCOMPRESSED, text.to_vec()),
            (Compression::SNAPPY, snap::raw::Encoder::new().compress_vec(text).expect("memory")),
            (Compression::GZIP(GzipLevel::default()), gzip.finish().expect("memory")),
            (Compression::BROTLI(BrotliLevel::default()), brotli),
            (
                Compression::ZSTD(ZstdLevel::default()),
                zstd::bulk::compress(text, 1).expect("memory"),
            ),
            (Compression::LZ4, frame.finish().expect("memory")),
            (Compression::LZ4, hadoop),
            (Compression::LZ4, raw.clone()),
            (Compression::LZ4_RAW, raw),
        ]
    }

    #[test]
    fn each_compression_gives_the_text_back_and_no_other_size() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for (compression, bytes) in packed(&text) {
            let mut output = b"before".to_vec();
            let mut codec = Codec::new(compression);
            codec.decompress(&bytes, text.len(), &mut output).expect("what was packed");
            assert_eq!(&output[..6], b"before");
            assert!(output[6..] == text, "{compression}");
            for size in [0, text.len() - 1, text.len() + 1] {
                let mut output = Vec::new();
                assert!(
                    codec.decompress(&bytes, size, &mut output).is_err(),
                    "{compression} {size}"
                );
                assert!(output.capacity() <= size, "{compression} took {}", output.capacity());
            }
        }
    }
}
