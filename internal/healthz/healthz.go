// Package healthz asks an address whether the local server of this project is there.
package healthz

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// mostBytes bounds what is read of an answer.
const mostBytes = 4 << 10

// IsServer reports whether the server answers at an address, which is asked past all
// proxies and without following a redirect.
func IsServer(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	transport := new(http.Transport) // without proxies
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	var is struct {
		Service string `json:"service"`
	}
	return json.NewDecoder(io.LimitReader(res.Body, mostBytes)).Decode(&is) == nil && is.Service == "sessionspan"
}
