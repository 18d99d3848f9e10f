//! base64url without padding (RFC 7515 §2), strict: one text for each sequence of bytes. A decoder that forgives would let one token
//! be written in many ways, past every cache and every list of revoked ones.

/// What each byte stands for; 64 and above: nothing.
const VALUES: [u8; 256] = values();
const NOTHING: u8 = 0xff;

/// The bytes that `text` stands for; None for padding, blanks, foreign characters, an impossible length, or unused bits that are not 0.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let mut groups = text.chunks_exact(4);
    for group in &mut groups {
        let bits = sextets(group)?;
        bytes.extend_from_slice(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]);
    }
    let rest = groups.remainder();
    let bits = sextets(rest)?;
    match rest.len() {
        0 => {}
        2 if bits & 0xf == 0 => bytes.push((bits >> 4) as u8),
        3 if bits & 0x3 == 0 => bytes.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return None,
    }
    Some(bytes)
}

fn sextets(group: &[u8]) -> Option<u32> {
    let mut seen = 0;
    let bits = group.iter().fold(0, |bits, byte| {
        let value = VALUES[usize::from(*byte)];
        seen |= value;
        bits << 6 | u32::from(value & 0x3f)
    });
    (seen < 64).then_some(bits)
}

const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut values = [NOTHING; 256];
    let mut place = 0;
    while place < alphabet.len() {
        values[alphabet[place] as usize] = place as u8;
        place += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfcs_are_decoded() {
        // RFC 4648 §10, without padding; RFC 7515 appendix C.
        for (text, bytes) in [("", ""), ("Zg", "f"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob"), ("Zm9vYmE", "fooba")] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode(b"A-z_4ME").as_deref(), Some(&[3, 236, 255, 224, 193][..]));
    }

    #[test]
    fn every_other_way_to_write_them_is_refused() {
        for text in ["Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v.", "A+z/4ME", "Z", "Zm9vY", "Zh", "Zm9", "Zm9vYmF\0", "Zé"]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn each_of_the_texts_of_two_and_three_letters_has_its_own_bytes() {
        let letters = || (0..=255u8).filter(|byte| VALUES[usize::from(*byte)] != NOTHING);
        let accepted = letters().flat_map(|a| letters().map(move |b| [a, b])).filter_map(|text| decode(&text));
        let mut all: Vec<_> = accepted.collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 256);
    }
}
