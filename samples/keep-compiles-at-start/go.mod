module example.org/generated

go 1.24
