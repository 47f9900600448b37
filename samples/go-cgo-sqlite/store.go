package main

import "database/sql"

type store struct{ database *sql.DB }

func (s store) prepare() error {
	_, err := s.database.Exec(`create table note (text text); insert into note values ('buy tea')`)
	return err
}

func (s store) all() ([]string, error) {
	rows, err := s.database.Query(`select text from note`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	notes := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		notes = append(notes, text)
	}
	return notes, rows.Err()
}
