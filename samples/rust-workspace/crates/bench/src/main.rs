//! Measures how fast words are counted.

fn main() {
    let text = "word ".repeat(1_000_000);
    let start = std::time::Instant::now();
    println!("{} words in {:?}", words::count(&text), start.elapsed());
}
