//! Content codings of a body copy, undone within a bound: from what was copied to what it says, as far as that can be read.

use std::borrow::Cow;
use std::io::Read;

/// What a copy says.
pub(super) struct Decoded<'b> {
    pub bytes: Cow<'b, [u8]>,
    /// False when the bound was reached or the coded text ended early.
    pub is_whole: bool,
}

/// Most codings that are undone one after the other.
const MOST_CODINGS: usize = 2;
/// Largest zstd window that is accepted: RFC 8878 asks decoders to support 8 MiB.
const ZSTD_WINDOW_BYTES: u64 = 8 << 20;

/// Undoes the codings of a `Content-Encoding` value, giving at most `bound` bytes; None for a coding that is not known.
pub(super) fn decode<'b>(copy: &'b [u8], encoding: &str, bound: usize) -> Option<Decoded<'b>> {
    let codings: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
        .collect();
    if codings.len() > MOST_CODINGS {
        return None;
    }
    let mut decoded = Decoded { bytes: Cow::Borrowed(copy), is_whole: true };
    for coding in codings.iter().rev() {
        let (bytes, is_whole) = undo(coding, &decoded.bytes, bound)?;
        decoded = Decoded { bytes: Cow::Owned(bytes), is_whole: decoded.is_whole && is_whole };
    }
    Some(decoded)
}

fn undo(coding: &str, coded: &[u8], bound: usize) -> Option<(Vec<u8>, bool)> {
    match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => Some(read_bounded(flate2::read::MultiGzDecoder::new(coded), bound)),
        "deflate" if is_zlib(coded) => Some(read_bounded(flate2::read::ZlibDecoder::new(coded), bound)),
        "deflate" => Some(read_bounded(flate2::read::DeflateDecoder::new(coded), bound)),
        "br" => Some(read_bounded(brotli_decompressor::Decompressor::new(coded, 4096), bound)),
        "zstd" => undo_zstd(coded, bound),
        _ => None,
    }
}

/// RFC 1950 header; some senders of `deflate` leave it out (RFC 9110 section 8.4.1.2).
fn is_zlib(coded: &[u8]) -> bool {
    matches!(coded, [cmf, flags, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flags)) % 31 == 0)
}

fn undo_zstd(coded: &[u8], bound: usize) -> Option<(Vec<u8>, bool)> {
    if zstd_window(coded)? > ZSTD_WINDOW_BYTES {
        return None;
    }
    let decoder = ruzstd::decoding::StreamingDecoder::new(coded).ok()?;
    Some(read_bounded(decoder, bound))
}

/// The window that a frame's header asks for (RFC 8878 section 3.1.1.1), in bytes.
fn zstd_window(coded: &[u8]) -> Option<u64> {
    let rest = coded.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let id_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let size = rest.get(id_bytes..id_bytes + size_bytes)?;
    let little_endian = size.iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    Some(little_endian + if size_bytes == 2 { 256 } else { 0 })
}

/// Reads until the end, the bound or the first error; true when it was the end.
fn read_bounded(mut decoder: impl Read, bound: usize) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return (out, true),
            Ok(count) if out.len() + count > bound => {
                out.extend_from_slice(&chunk[..bound - out.len()]);
                return (out, false);
            }
            Ok(count) => out.extend_from_slice(&chunk[..count]),
            Err(_) => return (out, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const TEXT: &[u8] = br#"{"name":"value","name2":"value"}"#;

    fn read(mut from: impl Read) -> Vec<u8> {
        let mut out = Vec::new();
        from.read_to_end(&mut out).unwrap();
        out
    }

    fn coded() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("", TEXT.to_vec()),
            ("identity", TEXT.to_vec()),
            ("gzip", read(GzEncoder::new(TEXT, Compression::best()))),
            ("deflate", read(ZlibEncoder::new(TEXT, Compression::best()))),
            ("deflate", read(DeflateEncoder::new(TEXT, Compression::best()))),
            ("gzip, X-GZIP", read(GzEncoder::new(GzEncoder::new(TEXT, Compression::best()), Compression::best()))),
            ("zstd", ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest)),
            ("br", brotli(TEXT)),
        ]
    }

    /// RFC 7932 section 9: a window of 16 bits, one uncompressed meta-block, an empty last one.
    fn brotli(text: &[u8]) -> Vec<u8> {
        let header = (text.len() as u32 - 1) << 4 | 1 << 20;
        [&header.to_le_bytes()[..3], text, &[0x03]].concat()
    }

    #[test]
    fn every_coding_is_undone() {
        for (coding, copy) in coded() {
            let decoded = decode(&copy, coding, 1000).unwrap();
            assert_eq!((&*decoded.bytes, decoded.is_whole), (TEXT, true), "{coding}");
        }
        assert!(decode(TEXT, "rot13", 1000).is_none());
        assert!(decode(TEXT, "gzip, gzip, gzip", 1000).is_none());
    }

    #[test]
    fn a_copy_that_was_cut_off_says_so_and_gives_a_beginning() {
        for (coding, copy) in coded().into_iter().filter(|(coding, _)| !coding.is_empty() && *coding != "identity") {
            for cut in 0..copy.len() {
                if let Some(decoded) = decode(&copy[..cut], coding, 1000) {
                    assert!(TEXT.starts_with(&decoded.bytes), "{coding} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn output_is_bounded() {
        let bomb = read(GzEncoder::new(&vec![b'a'; 10 << 20][..], Compression::best()));
        let decoded = decode(&bomb, "gzip", 1000).unwrap();
        assert_eq!((decoded.bytes.len(), decoded.is_whole), (1000, false));
        let wide_window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 1, 0, 0];
        assert!(decode(&wide_window, "zstd", 1000).is_none());
    }
}
