// Command distributed runs one session in two processes: a front that asks, and
// a search service, started as a process of its own, that finds. The identity of
// the session travels with the request between them, and each process delivers
// its part by itself.
//
//	go run ./examples/distributed
//
// With HH_API_KEY, HH_API_URL or OTEL_EXPORTER_OTLP_ENDPOINT set, both deliver
// there. Otherwise the front starts a small server of the HTTP API for both, and
// prints the session as that server got it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/sessionspan/sessionspan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "distributed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("distributed", flag.ContinueOnError)
	flags.SetOutput(stderr)
	serve := flags.Bool("search-service", false, "be the search service; the front starts it so")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve {
		return service(ctx, stdin, stdout)
	}
	return front(ctx, stdout, stderr)
}

// newTracer returns a tracer that delivers to wherever the environment says.
func newTracer() (*sessionspan.Tracer, error) {
	return sessionspan.New(
		sessionspan.WithProject(envOr("HH_PROJECT", "sessionspan examples")),
		sessionspan.WithSource(envOr("HH_SOURCE", "playground")))
}

// shutdown delivers what a process has, also after Ctrl-C.
func shutdown(ctx context.Context, tracer *sessionspan.Tracer) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return tracer.Shutdown(bounded)
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
