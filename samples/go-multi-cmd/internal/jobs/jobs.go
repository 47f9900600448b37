// Package jobs is a queue in memory.
package jobs

import "sync"

// Queue hands out each job once.
type Queue struct {
	lock sync.Mutex
	jobs []string
}

// New is a queue of jobs.
func New(jobs ...string) *Queue {
	return &Queue{jobs: jobs}
}

// Next takes the first job.
func (q *Queue) Next() (string, bool) {
	q.lock.Lock()
	defer q.lock.Unlock()
	if len(q.jobs) == 0 {
		return "", false
	}
	job := q.jobs[0]
	q.jobs = q.jobs[1:]
	return job, true
}
