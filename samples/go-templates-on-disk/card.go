package main

import "strings"

type card struct{ Name, Initials string }

func newCard(name string) card {
	initials := ""
	for _, word := range strings.Split(name, "-") {
		initials += strings.ToUpper(word[:1])
	}
	return card{Name: name, Initials: initials}
}
