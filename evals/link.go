package evals

import (
	"context"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/internal/healthz"
)

// pageOf returns the address of the page, or "".
func pageOf(given string) string {
	if given != "" {
		return strings.TrimSuffix(given, "/")
	}
	for _, name := range []string{"HH_API_URL", "HH_DATA_PLANE_URL"} {
		text := strings.TrimSpace(os.Getenv(name))
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.User != nil {
			return ""
		}
		if isLoopback(u) {
			return strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/")
		}
		return ""
	}
	return ""
}

// sessionURL returns where a session can be seen, or its id.
func (r *run) sessionURL(id string) string {
	if r.page == "" {
		return id
	}
	return r.page + "/s/" + id
}

// shownAt returns where the run is shown, once its sessions are delivered: on the page
// that the suite names, or else on a sessionspan server of this machine that has taken
// some of them and says that it is one. It is "" where there is none.
func (r *run) shownAt() string {
	query := "/run?" + url.Values{"id": {r.id}}.Encode()
	if r.named {
		return r.page + query
	}
	for _, s := range r.tracer.Stats() {
		kind, host, _ := strings.Cut(s.Destination, " ")
		if s.Delivered == 0 || kind != "http" && kind != "otlp" {
			continue
		}
		base := "http://" + host
		if u, err := url.Parse(r.page); err == nil && u.Host == host {
			base = r.page // which may have a path
		}
		if isServer(base) {
			return base + query
		}
	}
	return ""
}

// findTime bounds how long a server is asked.
const findTime = 5 * time.Second

// isServer asks an address of this machine, past all proxies, whether a sessionspan
// server is there.
func isServer(base string) bool {
	u, err := url.Parse(base)
	if err != nil || !isLoopback(u) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), findTime)
	defer cancel()
	return healthz.IsServer(ctx, base)
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
