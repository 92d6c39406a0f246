//! Builds gzip streams (RFC 1952) from parts that are compressed once and shared by all responses.
//!
//! A part is a series of DEFLATE blocks. It ends on a byte boundary, does not end the stream, and refers to no byte before
//! its beginning, so parts can follow each other in any order. For each response only the checksum of the whole is
//! computed, from the checksums of the parts.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use hyper::body::Bytes;

/// Method DEFLATE, no flags, no time, fastest compression, unknown system.
const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// An empty block that ends the stream.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A compressed text.
#[derive(Debug)]
pub struct Deflated {
    blocks: Bytes,
    /// Checksum of the uncompressed text.
    checksum: Crc,
}

impl Deflated {
    /// Compresses a text.
    pub fn new(text: &[u8]) -> io::Result<Self> {
        let mut checksum = Crc::new();
        checksum.update(text);
        // Measured with 10,000 series: 1.6 ms. The best level takes ten times as long and saves a tenth of the bytes.
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text)?;
        // Ends the blocks on a byte boundary without ending the stream.
        encoder.flush()?;
        let mut blocks = std::mem::take(encoder.get_mut());
        blocks.shrink_to_fit();
        Ok(Self { blocks: blocks.into(), checksum })
    }
}

/// Returns the gzip stream of these texts in pieces.
pub fn stream<'a>(texts: impl IntoIterator<Item = &'a Deflated>) -> Vec<Bytes> {
    let mut pieces = vec![Bytes::from_static(HEADER)];
    let mut checksum = Crc::new();
    for text in texts {
        pieces.push(text.blocks.clone());
        checksum.combine(&text.checksum);
    }
    let end = [&LAST_BLOCK[..], &checksum.sum().to_le_bytes(), &checksum.amount().to_le_bytes()].concat();
    pieces.push(end.into());
    pieces
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn parts_in_any_order_are_one_gzip_stream() {
        let lines: Vec<String> =
            (0..20_000).map(|number| format!("series{{n=\"{number}\"}} {number}\n")).collect();
        let long = lines.concat();
        let texts = ["", "one\n", &long, "one\n", &"x".repeat(100_000)];
        let parts: Vec<Deflated> = texts.iter().map(|text| Deflated::new(text.as_bytes()).unwrap()).collect();
        for order in [vec![], vec![0], vec![2], vec![0, 1, 2, 3, 4], vec![4, 2, 2, 1]] {
            let bytes = stream(order.iter().map(|index| &parts[*index])).concat();
            let mut text = String::new();
            // The decoder checks the checksum and the length, and stops at the end of the first stream.
            GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
            let expected: String = order.iter().map(|index| texts[*index]).collect();
            assert!(text == expected, "{order:?}");
        }
        assert!(parts[2].blocks.len() * 4 < long.len(), "{} bytes", parts[2].blocks.len());
    }
}
