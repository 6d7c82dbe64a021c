// Command release does what stands before a release. It runs in a clone of the
// repository, and changes nothing of it unless it is told to apply a release.
//
//	go run ./release check                 is the last commit fit to be installed?
//	go run ./release check v0.1.0          the same, under the version that it is to have
//	go run ./release make v0.1.0           all that a release needs, in a clone that is thrown away
//	go run ./release make -apply v0.1.0    the same, and the commits and tags in this repository
//	go run ./release dist v0.1.0 ../dist   archives of the command for each platform
//
// Nothing is ever pushed: the last words of make are the commands that do it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, w io.Writer, args []string) error {
	repository, err := output(ctx, "", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { removeAll(dir) }()
	switch {
	case len(args) == 1 && args[0] == "check":
		return check(ctx, w, repository, dir, "v0.0.0-check")
	case len(args) == 2 && args[0] == "check":
		return check(ctx, w, repository, dir, args[1])
	case len(args) == 2 && args[0] == "make":
		return release(ctx, w, repository, dir, args[1], false)
	case len(args) == 3 && args[0] == "make" && args[1] == "-apply":
		return release(ctx, w, repository, dir, args[2], true)
	case len(args) == 3 && args[0] == "dist":
		return dist(ctx, w, repository, dir, args[1], args[2])
	}
	return errors.New("usage: release check [version] | make [-apply] version | dist version folder")
}
