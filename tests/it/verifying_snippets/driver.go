// Runs the snippet on each case that stands in cases.json, and prints what it says.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

type request struct {
	Name, Secret, Body string
	Headers            map[string]string
}

func main() {
	text, err := os.ReadFile("cases.json")
	if err != nil {
		panic(err)
	}
	var cases []request
	if err := json.Unmarshal(text, &cases); err != nil {
		panic(err)
	}
	for _, one := range cases {
		header := http.Header{}
		for name, value := range one.Headers {
			header.Set(name, value)
		}
		verdict := "accepted"
		if err := verify(one.Secret, header, []byte(one.Body)); err != nil {
			verdict = "refused"
			fmt.Fprintln(os.Stderr, one.Name+":", err)
		}
		fmt.Println(one.Name + ": " + verdict)
	}
}
