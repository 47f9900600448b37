// Command server hands out jobs.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"example.org/queue/internal/jobs"
)

func main() {
	queue := jobs.New("sweep", "mop")
	http.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
		job, ok := queue.Next()
		if !ok {
			http.Error(w, "nothing to do", http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, job)
	})
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		os.Exit(0)
	}()
	log.Fatal(http.ListenAndServe(":7000", nil))
}
