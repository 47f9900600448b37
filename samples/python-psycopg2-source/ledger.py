import os

import psycopg2


class Ledger:
    """Reads the bookings of the database that DATABASE_URL names."""

    def balance(self) -> int:
        url = os.environ.get("DATABASE_URL", "postgresql://127.0.0.1:1/ledger")
        with psycopg2.connect(url, connect_timeout=2) as connection, connection.cursor() as cursor:
            cursor.execute("select coalesce(sum(cents), 0) from booking")
            return cursor.fetchone()[0]
