package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// database is where govulncheck looks, where GOVULNDB says nothing else.
const database = "https://vuln.go.dev"

// reachTime is how long the database may take to answer.
const reachTime = 10 * time.Second

// vuln runs govulncheck on the modules that users get. A database that cannot be reached
// is no fault of theirs: then it says so, and that nothing was looked at.
func vuln(ctx context.Context, root string, out io.Writer) error {
	at := os.Getenv("GOVULNDB")
	if at == "" {
		at = database
	}
	if err := reach(ctx, at); err != nil {
		_, _ = fmt.Fprintf(out, "audit: NOT CHECKED for known vulnerabilities: %s cannot be reached: %v\n", at, err)
		return nil
	}
	check, err := filepath.Abs(filepath.Join(root, ".bin", "govulncheck"))
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range shipped {
		cmd := exec.CommandContext(ctx, check, "-db", at, "./...") //nolint:gosec // the program is ours to build
		cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join(root, folder), out, out
		cmd.Env = append(cmd.Environ(), "GOWORK=")
		if err := cmd.Run(); err != nil {
			errs = append(errs, fmt.Errorf("govulncheck in %s: %w", folder, err))
		}
	}
	return errors.Join(errs...)
}

// reach asks a database for its index.
func reach(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/index/db.json", http.NoBody) //nolint:gosec // who runs this names the database
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req) //nolint:gosec // who runs this names the database
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}
