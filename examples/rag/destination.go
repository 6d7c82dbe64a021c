package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/server/local"
)

// target is where the session goes.
type target struct {
	options []sessionspan.Option
	url     string        // of the local server; empty where the environment names another
	own     *local.Server // where it runs in this process
	once    bool
}

// destination returns the target that the environment names, or the local
// server.
func destination(ctx context.Context, o options) (*target, error) {
	t := &target{once: o.once}
	for _, name := range []string{"HH_INGESTION_API_KEY", "HH_API_KEY", "HH_PROJECT_API_KEY", "HH_API_URL", "HH_DATA_PLANE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"} {
		if strings.TrimSpace(os.Getenv(name)) != "" {
			return t, nil
		}
	}
	var err error
	t.url, err = local.Find(ctx, o.server)
	if err != nil && o.json {
		t.url = ""
		return t, nil // nothing but the payload is asked for
	}
	if err != nil {
		t.own, err = local.Start(ctx, local.WithAddress(o.server))
		if errors.Is(err, local.ErrAddressInUse) { // by something else, such as a collector
			t.own, err = local.Start(ctx, local.WithAddress("127.0.0.1:0"))
		}
		if err != nil {
			return nil, fmt.Errorf("%w (HH_API_URL names another server, -server another address)", err)
		}
		t.url = t.own.URL()
	}
	t.options = append(t.options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: t.url, Key: os.Getenv("SESSIONSPAN_TOKEN")}))
	return t, nil
}

// serve says where the session can be seen, and shows it until the context
// ends where nobody else does.
func (t *target) serve(ctx context.Context, stdout io.Writer, session string) error {
	if t.url == "" {
		return nil
	}
	if t.own != nil && t.once {
		_, err := fmt.Fprintf(stdout, "Kept in %s: run go run ./server, then open %s\n", t.own.File(), local.SessionURL(t.url, session))
		return err
	}
	if _, err := fmt.Fprintf(stdout, "Open %s\n", local.SessionURL(t.url, session)); err != nil || t.own == nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, "Ctrl-C ends the server."); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (t *target) close() error {
	if t.own == nil {
		return nil
	}
	return t.own.Close()
}
