// Command web shows the time of day.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		os.Exit(0)
	}()
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	http.HandleFunc("/time/", func(w http.ResponseWriter, r *http.Request) {
		place, err := time.LoadLocation(r.URL.Path[len("/time/"):])
		if err != nil {
			http.Error(w, "unknown place", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, describe(time.Unix(0, 0).In(place)))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
