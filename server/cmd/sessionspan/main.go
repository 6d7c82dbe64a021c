// Command sessionspan takes sessions of LLM and RAG pipelines from any client, keeps
// them in a file, and shows them in a browser.
//
//	sessionspan
//	-max-age 30d -max-size 2GiB
//	sessionspan export sessions.jsonl
//	sessionspan import sessions.jsonl
//	sessionspan list -status error -since 24h
//	sessionspan backup copy.db
//	sessionspan export -cases -input question testdata/answers.jsonl
package main

import (
	"os"

	"github.com/sessionspan/sessionspan/server/internal/command"
)

func main() { os.Exit(command.Main()) }
