// Command notes keeps notes in a database in memory.
package main

import (
	"database/sql"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	database, err := sql.Open("sqlite3", "file:notes?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	notes := store{database}
	if err := notes.prepare(); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		all, err := notes.all()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(all)
	})
	go func() { log.Fatal(http.ListenAndServe(":9000", nil)) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}
