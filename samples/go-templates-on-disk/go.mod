module example.org/cards

go 1.24
