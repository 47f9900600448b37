//! Prints the SHA-256 of its first argument.

mod seal;

fn main() {
    let text = std::env::args().nth(1).unwrap_or_default();
    match seal::seal(text.as_bytes()) {
        Ok(digest) => println!("{digest}"),
        Err(error) => {
            eprintln!("sealer: {error}");
            std::process::exit(1);
        }
    }
}
