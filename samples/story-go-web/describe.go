package main

import "time"

func describe(at time.Time) string {
	return at.Format("15:04 MST")
}
