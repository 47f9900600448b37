/// The same eyes for the same seed.
pub fn throw(seed: u64) -> u64 {
    seed.wrapping_mul(6364136223846793005).rotate_left(17) % 6 + 1
}

#[test]
fn a_die_has_six_faces() {
    assert!((0..1000).all(|seed| (1..=6).contains(&throw(seed))));
}
