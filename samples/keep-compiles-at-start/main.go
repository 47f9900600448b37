// Command generated prints what its generator wrote.
package main

//go:generate sh -c "date > now.txt"

import (
	"fmt"
	"os"
)

func main() {
	now, _ := os.ReadFile("now.txt")
	fmt.Print(string(now))
}
