package local

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/server/internal/access"
	roles "github.com/sessionspan/sessionspan/server/internal/caller"
)

var update = flag.Bool("update", false, "write the table of docs/security.md anew")

// newToken makes a token for the server of a file, which need not run yet.
func newToken(t testing.TB, file string, token access.Token) string {
	t.Helper()
	secret, _, err := access.Create(file+access.TokensSuffix, token)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// kinds are the columns of the table of what each kind of token may.
var kinds = []struct {
	name  string
	token access.Token // without roles there is none
}{
	{"no token", access.Token{}},
	{"read", access.Token{Roles: roles.Read}},
	{"write", access.Token{Roles: roles.Write}},
	{"read,write", access.Token{Roles: roles.Read | roles.Write}},
	{"admin", access.Token{Roles: roles.Admin}},
	{"admin of a project", access.Token{Roles: roles.Admin, Project: "shop"}},
}

// TestWhatEachTokenMay asks every route that the server has, with each kind of token and
// none, and compares who was let in with the table of the documentation.
func TestWhatEachTokenMay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	secrets := make([]string, len(kinds))
	for i, k := range kinds {
		if k.token.Roles != 0 {
			secrets[i] = newToken(t, file, k.token)
		}
	}
	s := start(t, WithFile(file))
	var table strings.Builder
	table.WriteString("| Route |")
	for _, k := range kinds {
		table.WriteString(" " + k.name + " |")
	}
	table.WriteString("\n|" + strings.Repeat(" --- |", len(kinds)+1) + "\n")
	for _, pattern := range s.routes.Patterns() {
		fmt.Fprintf(&table, "| `%s` |", pattern)
		for i := range kinds {
			mark := ""
			if letIn(t, s, pattern, secrets[i], secrets[1]) {
				mark = "yes"
			}
			fmt.Fprintf(&table, " %s |", mark)
		}
		table.WriteString("\n")
	}
	checkSection(t, "routes", table.String())
}

// letIn asks a route, and reports whether it served the request. What the route makes of
// a request that names nothing there is does not matter.
func letIn(t *testing.T, s *Server, pattern, secret, other string) bool {
	t.Helper()
	method, path, found := strings.Cut(pattern, " ")
	contentType, body := "application/json", "{}"
	switch {
	case pattern == access.OTLP:
		method, path, contentType, body = http.MethodPost, "/v1/traces", "application/x-protobuf", ""
	case !found:
		method, path = http.MethodPatch, "/nothing" // the pattern of all that has no other
	case pattern == "GET /":
		path = "/nothing" // what no other has
	case pattern == "POST /signin":
		contentType, body = "application/x-www-form-urlencoded", url.Values{"token": {other}}.Encode()
	}
	for name, value := range map[string]string{"{id}": sessionID, "{event}": sessionID, "{rest}": "x", "{$}": ""} {
		path = strings.ReplaceAll(path, name, value)
	}
	if strings.ContainsAny(path, "{}") {
		t.Fatalf("%s has a part that this test has no value for", pattern)
	}
	ctx := t.Context()
	req, err := http.NewRequestWithContext(ctx, method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	client := &http.Client{Transport: http.DefaultTransport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // a stream does not end
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusInternalServerError {
		t.Errorf("%s: %s", pattern, res.Status)
	}
	return res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden
}

// checkSection compares a part of docs/security.md, between marks of the name, with what
// it should be.
func checkSection(t *testing.T, name, want string) {
	t.Helper()
	const file = "../../docs/security.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->\n")
	before, rest, ok := bytes.Cut(text, begin)
	got, after, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no part %s", file, name)
	}
	if *update {
		if err := os.WriteFile(file, bytes.Join([][]byte{before, begin, []byte(want), end, after}, nil), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not what the server does (- there, + here; go test ./local -run %s -update writes it anew):\n%s", file, t.Name(), diff)
	}
}

// TestGRPCRoles asks calls of gRPC, which no pattern has, for the role to write.
func TestGRPCRoles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	codes := map[string]string{"": "16", newToken(t, file, access.Token{Roles: roles.Read}): "7", newToken(t, file, access.Token{Roles: roles.Write}): "0"}
	s := start(t, WithFile(file))
	c := newCaller(t, strings.TrimPrefix(s.URL(), "http://"))
	for secret, want := range codes {
		var headers []string
		if secret != "" {
			headers = []string{"Authorization", "Bearer " + secret}
		}
		if code, message, _ := c.call(t.Context(), t, traceMethod, bytes.NewReader(frame(0, chatSpan(t, 1))), headers...); code != want {
			t.Errorf("%s %s, want %s", code, message, want)
		}
	}
}

// TestTokensOfARunningServer come and go without a restart, and once there were any a
// request needs one.
func TestTokensOfARunningServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	s := start(t, WithFile(file))
	status := func(secret string) int {
		t.Helper()
		var headers []string
		if secret != "" {
			headers = []string{"Authorization", "Bearer " + secret}
		}
		got, _ := send(t, http.MethodGet, s.URL()+"/api/runs", "", nil, headers...)
		return got
	}
	if got := status(""); got != http.StatusOK {
		t.Fatalf("without tokens: %d", got)
	}
	secret, made, err := access.Create(file+access.TokensSuffix, access.Token{Name: "ann", Roles: roles.Read})
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]int{"": 401, secret: 200, secret + "x": 401, secret[:len(secret)-1]: 401, made.Hash: 401, made.ID: 401} {
		if got := status(given); got != want {
			t.Errorf("%.9s: %d, want %d", given, got, want)
		}
	}
	text, err := os.ReadFile(file + access.TokensSuffix)
	if err != nil || bytes.Contains(text, []byte(secret[10:])) {
		t.Errorf("the file has the token: %v", err)
	}
	if err := access.Revoke(file+access.TokensSuffix, made.ID); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"", secret} {
		if got := status(given); got != http.StatusUnauthorized {
			t.Errorf("after it was revoked: %d", got)
		}
	}
	// A file that cannot be read, or is gone, opens nothing.
	if err := os.WriteFile(file+access.TokensSuffix, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := status(""); got != http.StatusServiceUnavailable {
		t.Errorf("with a damaged file: %d", got)
	}
	if err := os.Remove(file + access.TokensSuffix); err != nil {
		t.Fatal(err)
	}
	if got := status(""); got != http.StatusUnauthorized {
		t.Errorf("without the file: %d", got)
	}
}

// TestTokenBounds holds each token to its own bounds.
func TestTokenBounds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	small := newToken(t, file, access.Token{Roles: roles.Write, MaxBody: 1000})
	slow := newToken(t, file, access.Token{Roles: roles.Read, Rate: 1e-6})
	s := start(t, WithFile(file))
	body := func(n int) []byte {
		return []byte(`{"session":{"session_id":"` + sessionID + `","inputs":{"q":"` + strings.Repeat("x", n) + `"}}}`)
	}
	for n, want := range map[int]int{100: http.StatusOK, 2000: http.StatusRequestEntityTooLarge} {
		status, answer := send(t, http.MethodPost, s.URL()+"/session/start", "application/json", body(n), "Authorization", "Bearer "+small)
		if status != want {
			t.Errorf("%d bytes: %d %s", n, status, answer)
		}
	}
	if status, answer := send(t, http.MethodPost, s.URL()+"/session/start", "application/json", gzipped(t, body(2000)), "Authorization", "Bearer "+small, "Content-Encoding", "gzip"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("compressed: %d %s", status, answer)
	}
	got := []int{}
	for range 3 {
		status, _ := send(t, http.MethodGet, s.URL()+"/api/runs", "", nil, "Authorization", "Bearer "+slow)
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{200, 429, 429}, got); diff != "" {
		t.Error(diff)
	}
	if status, _ := send(t, http.MethodPost, s.URL()+"/session/start", "application/json", body(1), "Authorization", "Bearer "+small); status != http.StatusOK {
		t.Errorf("the bound of one token holds for another: %d", status)
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(text)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
