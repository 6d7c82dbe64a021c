package llmhttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestInstall makes calls by clients without a transport, while it is installed by
// nobody, by one and by several, and by somebody who wraps it meanwhile.
func TestInstall(t *testing.T) {
	l := newLab(t, whole(200, smallAnswer))
	before := http.DefaultTransport
	defer func() {
		http.DefaultTransport = before
		before.(*http.Transport).CloseIdleConnections()
	}()
	traced := 0
	call := func(what string, want int) {
		t.Helper()
		resp, err := http.DefaultClient.Do(l.request("/v1/chat/completions", smallRequest))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(resp.Body); err != nil || string(data) != smallAnswer {
			t.Fatal(err, string(data))
		}
		_ = resp.Body.Close()
		traced += want
		n := len(l.recorder.GetSpans())
		if n != traced {
			t.Errorf("%s: %d events, want %d", what, n, traced)
			traced = n
		}
	}
	call("not installed", 0)

	first := llmhttp.Install(llmhttp.WithName(func(llmhttp.Call) string { return "the first" }))
	call("installed", 1)
	one := http.DefaultTransport
	second := llmhttp.Install(llmhttp.WithName(func(llmhttp.Call) string { return "the second" }))
	if http.DefaultTransport != one {
		t.Error("it is wrapped twice")
	}
	call("installed twice", 1)
	first()
	first()
	call("one of two is left", 1)
	second()
	if http.DefaultTransport != before {
		t.Error("what was there is not back")
	}
	call("taken back", 0)
	http.DefaultClient.CloseIdleConnections()

	third := llmhttp.Install()
	wrapped := &wrapper{http.DefaultTransport}
	http.DefaultTransport = wrapped
	call("wrapped", 1)
	third()
	if http.DefaultTransport != wrapped {
		t.Error("somebody else's transport is gone")
	}
	call("taken back below another", 0)
	fourth := llmhttp.Install()
	call("installed above the old one", 1)
	http.DefaultClient.CloseIdleConnections()
	fourth()
	if http.DefaultTransport != wrapped {
		t.Error("somebody else's transport is gone")
	}

	mine := llmhttp.Transport(before)
	http.DefaultTransport = mine
	fifth := llmhttp.Install()
	if http.DefaultTransport != mine {
		t.Error("the program's own is wrapped")
	}
	call("the program's own", 1)
	fifth()
	call("the program's own stays", 1)
	http.DefaultTransport = nil
	llmhttp.Install()()
	if http.DefaultTransport != nil {
		t.Error("there is a transport where there was none")
	}
	names := ""
	for _, e := range l.end() {
		names += e.EventName.Or("") + "|"
	}
	if strings.Count(names, "the first") != 3 || strings.Contains(names, "the second") {
		t.Error(names)
	}
}

// wrapper is somebody else's transport.
type wrapper struct{ http.RoundTripper }
