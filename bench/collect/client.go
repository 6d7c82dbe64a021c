package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Reset makes the server at url forget what came.
func Reset(ctx context.Context, url string) error { return call(ctx, url+"/bench/reset", nil) }

// Await asks the server at url until n records came, or none for two seconds.
func Await(ctx context.Context, url string, n int) (Stats, error) {
	var s Stats
	last, seen := time.Now(), -1
	for {
		s = Stats{}
		if err := call(ctx, url+"/bench/stats", &s); err != nil {
			return s, err
		}
		if s.Records != seen {
			last, seen = time.Now(), s.Records
		}
		if s.Records >= n || time.Since(last) > 2*time.Second {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func call(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	return nil
}
