// Command cards prints visiting cards as HTML.
package main

import (
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	pages := template.Must(template.ParseGlob("templates/*.html"))
	http.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir("static"))))
	http.HandleFunc("/card/{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := pages.ExecuteTemplate(w, "card.html", newCard(r.PathValue("name"))); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		os.Exit(0)
	}()
	log.Fatal(http.ListenAndServe(":8080", nil))
}
