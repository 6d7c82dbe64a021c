// Command server is the command sessionspan under the name that a clone has for it.
//
//	go run ./server
//	go run ./server -max-age 30d -max-size 2GiB
package main

import (
	"os"

	"github.com/sessionspan/sessionspan/server/internal/command"
)

func main() { os.Exit(command.Main()) }
