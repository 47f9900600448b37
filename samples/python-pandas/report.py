"""Sums the sales of each region."""

import sys
from pathlib import Path

import pandas

from regions import NAMES


def main() -> None:
    sales = pandas.read_csv(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "data" / "sales.csv")
    sums = sales.groupby("region")["cents"].sum()
    for region, cents in sums.items():
        print(f"{NAMES.get(region, region)}: {cents / 100:.2f}")


if __name__ == "__main__":
    main()
