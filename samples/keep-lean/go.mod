module example.org/lean

go 1.24
