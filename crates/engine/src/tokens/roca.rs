//! RSA moduli of a broken generator (ROCA, CVE-2017-15361). Its primes are powers of 65537 modulo the product of the first primes, so
//! its moduli are too: Nemec, Sys, Svenda, Klinec, Matyas, "The Return of Coppersmith's Attack", CCS 2017, section 3.1. A modulus of
//! another generator has it with a probability of 2^-27.8.

/// The odd primes up to 167 whose residues the paper's fingerprint tests.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127,
    131, 137, 139, 149, 151, 157, 163, 167,
];
const GENERATOR: u32 = 65_537;

/// Whether the modulus (big-endian) has the fingerprint.
pub(super) fn is_vulnerable(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_generator(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime)
}

fn is_power_of_generator(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    (0..prime).any(|_| {
        let found = power == residue;
        power = power * (GENERATOR % prime) % prime;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_the_generator_are_found_and_neighbours_are_not() {
        // 65537^2 and 65537^3, and the first plus 2.
        assert!(is_vulnerable(&[1, 0, 2, 0, 1]));
        assert!(is_vulnerable(&[1, 0, 3, 0, 3, 0, 1]));
        assert!(!is_vulnerable(&[1, 0, 2, 0, 3]));
    }
}
