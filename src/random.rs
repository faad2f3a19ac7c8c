//! Randomness for jitter and unique names. Never used inside `core`.

/// A uniformly distributed number in `[0, 1)`.
///
/// Without randomness it returns the middle: jitter only spreads load, so its absence must not
/// stop anything.
pub(crate) fn unit() -> f64 {
    // An f64 holds 53 bits exactly.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Sixteen random hexadecimal digits, for names that must not collide.
///
/// # Errors
/// If the system has no randomness.
pub(crate) fn hex16() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}", getrandom::u64()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn unit_stays_in_range_and_varies() {
        let drawn: Vec<f64> = (0..100).map(|_| super::unit()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn hex_is_sixteen_digits() {
        let name = super::hex16().unwrap_or_default();
        assert_eq!(name.len(), 16);
        assert!(name.bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
