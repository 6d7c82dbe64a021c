// Command release does what stands before a release. It runs in a clone of the
// repository, and changes nothing of it.
//
//	go run ./release check            is the last commit fit to be installed?
//	go run ./release check v0.1.0     the same, under the version that it is to have
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || len(args) > 2 || args[0] != "check" {
		return errors.New("usage: release check [version]")
	}
	version := "v0.0.0-check"
	if len(args) == 2 {
		version = args[1]
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { removeAll(dir) }()
	return check(ctx, dir, version)
}
