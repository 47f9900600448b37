package main

import "sync"

type hits struct {
	lock  sync.Mutex
	pages map[string]int
}

func newHits() *hits {
	return &hits{pages: map[string]int{}}
}

func (h *hits) count(page string) int {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.pages[page]++
	return h.pages[page]
}
