//! Says whether a year is a leap year.

fn is_leap(year: u32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn main() {
    for year in std::env::args().skip(1).filter_map(|year| year.parse().ok()) {
        println!("{year}: {}", is_leap(year));
    }
}
