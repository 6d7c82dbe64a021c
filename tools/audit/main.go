// Command audit lists what the modules of this project are made of:
//
//	audit licenses        print the dependencies with their licences, as docs/licenses.md has them
//	audit check           fail where that file is not up to date, or a licence is not an allowed one
//	audit sbom program    print what a program that was built by Go is made of, as CycloneDX 1.6
//	audit vuln            run govulncheck, or say that its database cannot be reached
//
// It asks the go command, and reads the files of the module cache.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// listFile has the dependencies with their licences, from the folder of the repository.
const listFile = "docs/licenses.md"

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	root := ".."
	switch {
	case len(args) == 1 && args[0] == "licenses":
		text, err := licenses(ctx, root)
		if err == nil {
			_, err = out.Write(text)
		}
		return err
	case len(args) == 1 && args[0] == "check":
		return check(ctx, root)
	case len(args) == 2 && args[0] == "sbom":
		return sbom(ctx, args[1], root, out)
	case len(args) == 1 && args[0] == "vuln":
		return vuln(ctx, root, out)
	}
	return errors.New("say licenses, check, sbom program, or vuln")
}

// check compares the list of the documentation with what is there.
func check(ctx context.Context, root string) error {
	want, err := licenses(ctx, root)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(root, listFile)) //nolint:gosec // of this repository
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s is not up to date: make licenses writes it anew", listFile)
	}
	return nil
}
