package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"
)

// healthPath is where a server says what it is.
const (
	healthPath  = "/healthz"
	serviceName = "sessionspan"
)

// identity is what a server says of itself.
type identity struct {
	Service string `json:"service"`
	Version string `json:"version"`
}

// moduleVersion returns the version of this module, as the program was built with
// it: "(devel)" in a clone.
func moduleVersion() string {
	const path = "github.com/sessionspan/sessionspan/server"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == path && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}

func health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(identity{Service: serviceName, Version: moduleVersion()})
}

// findTime bounds the look for a server.
const findTime = time.Second

// Find reports whether a server of this package runs at an address, such as
// [DefaultAddress]: a nil error says that one does. The URL is that of the
// server. It asks the address alone, whatever proxies the environment names.
func Find(ctx context.Context, address string) (url string, err error) {
	url = "http://" + address
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+healthPath, nil)
	if err != nil {
		return "", fmt.Errorf("find server: %w", err)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("find server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var is identity
	if err := json.NewDecoder(io.LimitReader(res.Body, maxIdentity)).Decode(&is); err != nil || is.Service != serviceName {
		return "", fmt.Errorf("find server: what answers at %s is something else", address)
	}
	return url, nil
}

// maxIdentity bounds what is read of an answer.
const maxIdentity = 4 << 10
