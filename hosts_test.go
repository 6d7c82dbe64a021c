package sessionspan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// dials is a transport of net/http that keeps the addresses that it was to dial,
// and leads all of them to one server.
type dials struct {
	*http.Transport
	addresses []string
}

func dialTo(server string) *dials {
	d := new(dials)
	d.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		d.addresses = append(d.addresses, address)
		if server == "" {
			return nil, errors.New("nothing is dialed")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", server)
	}}
	return d
}

// TestTransportAllowsWhatIsDialed asks for hosts that look like an allowed one, and
// compares what is sent with where net/http really goes.
func TestTransportAllowsWhatIsDialed(t *testing.T) {
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header.Clone() }))
	defer server.Close()
	ctx, s := sessiontest.New(t).Tracer.StartSession(t.Context(), "s")
	defer s.End()
	for _, tc := range []struct {
		allowed, host string // host is that of an http URL
		dialed        string // "" where no request can be made
		sent          bool
	}{
		{"docs.corp", "docs.corp", "docs.corp:80", true},
		{"docs.corp", "DOCS.Corp.", "DOCS.Corp.:80", true},
		{"Docs.CORP.", "docs.corp:8443", "docs.corp:8443", true},
		{"docs.corp", "docs.corp..", "docs.corp..:80", false},
		{"docs.corp", "docs.corp:", "docs.corp:80", true},
		{"docs.corp:80", "docs.corp", "docs.corp:80", true},
		{"docs.corp:443", "docs.corp", "docs.corp:80", false},
		{"docs.corp:8080", "docs.corp:8081", "docs.corp:8081", false},
		{"docs.corp", "docs.corp.attacker.test", "docs.corp.attacker.test:80", false},
		{"docs.corp", "mydocs.corp", "mydocs.corp:80", false},
		{"docs.corp", "docs.corp@attacker.test", "attacker.test:80", false},
		{"docs.corp", "docs.corp:80@attacker.test", "attacker.test:80", false},
		{"docs.corp", "attacker.test/@docs.corp", "attacker.test:80", false},
		{"docs.corp", "attacker.test?.docs.corp", "attacker.test:80", false},
		{"docs.corp", "attacker.test#.docs.corp", "attacker.test:80", false},
		{"docs.corp", "docs.corp%2eattacker.test", "", false},
		{"docs.corp", "docs%2Ecorp", "", false},
		{"docs.corp", "docs.corp%00", "", false},
		// Letters that are an allowed one in lower case, or look like it.
		{"dialog.corp", "d\u0130alog.corp", "xn--dialog-qyd.corp:80", false},  // a dotted capital I becomes two letters
		{"dialog.corp", "d%C4%B0alog.corp", "xn--dialog-qyd.corp:80", false},  // the same, escaped
		{"dialog.corp", "d\u0131alog.corp", "xn--dalog-n4a.corp:80", false},   // without a dot
		{"disk.corp", "dis\u212a.corp", "disk.corp:80", true},                 // the sign of Kelvin is a capital K
		{"docs.corp", "doc\u017f.corp", "docs.corp:80", false},                // the long s, which IDNA replaces
		{"docs.corp", "d\u043ecs.corp", "xn--dcs-sed.corp:80", false},         // Cyrillic
		{"docs.corp", "\uff44\uff4f\uff43\uff53.corp", "docs.corp:80", false}, // full width
		{"docs.corp", "docs\u3002corp", "docs.corp:80", false},                // an ideographic full stop
		{"docs.corp", "docs\uff0ecorp\uff0eattacker.test", "docs.corp.attacker.test:80", false},
		{"docs.corp", "do\u00adcs.corp", "docs.corp:80", false}, // a soft hyphen, which IDNA drops
		{"docs.corp", "attacker.test\uff0f.docs.corp", "attacker.test\uff0f.docs.corp:80", false},
		{"*.docs.corp", "attacker.test\uff0f.docs.corp", "attacker.test\uff0f.docs.corp:80", false},
		{"*.docs.corp", "attacker\u2024test.docs.corp", "attacker\u2024test.docs.corp:80", false}, // a leader of one dot
		{"*.k\u00f6ln.corp", "a.K\u00d6LN.corp", "a.xn--kln-sna.corp:80", true},
		{"\uff44ocs.corp", "docs.corp", "docs.corp:80", false}, // reported as no host
		{"strasse.corp", "stra\u00dfe.corp", "xn--strae-oqa.corp:80", false},
		{"stra\u00dfe.corp", "xn--strae-oqa.corp", "xn--strae-oqa.corp:80", true},
		{"xn--strae-oqa.corp", "STRA\u00dfE.corp", "xn--strae-oqa.corp:80", true},
		{"*.k\u00f6ln.corp", "a.XN--KLN-sna.corp", "a.XN--KLN-sna.corp:80", true},
		// Wildcards.
		{"*.mesh.corp", "a.mesh.corp", "a.mesh.corp:80", true},
		{"*.mesh.corp", "a.b.MESH.corp.", "a.b.MESH.corp.:80", true},
		{"*.mesh.corp:81", "a.mesh.corp:81", "a.mesh.corp:81", true},
		{"*.mesh.corp:81", "a.mesh.corp", "a.mesh.corp:80", false},
		{"*.mesh.corp", "mesh.corp", "mesh.corp:80", false},
		{"*.mesh.corp", ".mesh.corp", ".mesh.corp:80", false},
		{"*.mesh.corp", "a..mesh.corp", "a..mesh.corp:80", false},
		{"*.mesh.corp", "amesh.corp", "amesh.corp:80", false},
		{"*.mesh.corp", "[2001:db8::1%25x.mesh.corp]", "[2001:db8::1%x.mesh.corp]:80", false},
		{"*.mesh.corp", "[::1%25.mesh.corp]:81", "[::1%.mesh.corp]:81", false},
		{"*.mesh.corp", "[fe80::1%25a%25.mesh.corp]", "", false},
		{"*.0.1", "127.0.0.1", "127.0.0.1:80", false},
		{"*.0.1", "\uff11\uff12\uff17.0.0.1", "127.0.0.1:80", false},
		// Addresses.
		{"127.0.0.1", "127.0.0.1:81", "127.0.0.1:81", true},
		{"127.0.0.1", "\uff11\uff12\uff17.0.0.1", "127.0.0.1:80", false},
		{"127.0.0.1", "127.1", "127.1:80", false},
		{"127.0.0.1", "2130706433", "2130706433:80", false},
		{"127.0.0.1", "127.0.0.1.attacker.test", "127.0.0.1.attacker.test:80", false},
		{"::1", "[::1]", "[::1]:80", true},
		{"[::1]:80", "[0:0::1]", "[0:0::1]:80", true},
		{"[::1]:81", "[::1]", "[::1]:80", false},
		{"::1", "[::1%25lo]", "[::1%lo]:80", false},
		{"fe80::1%eth0", "[fe80::1%25eth0]", "[fe80::1%eth0]:80", true},
		{"fe80::1%eth0", "[fe80::1%25eth1]", "[fe80::1%eth1]:80", false},
		{"fe80::1%eth0", "[fe80::1]", "[fe80::1]:80", false},
	} {
		name := tc.allowed + " " + tc.host
		header = nil
		base := dialTo(server.Listener.Addr().String())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+tc.host, http.NoBody)
		if err != nil {
			if tc.sent || tc.dialed != "" {
				t.Errorf("%+q: %v", name, err)
			}
			continue
		}
		resp, err := sessionspan.Transport(base, tc.allowed).RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if tc.dialed != "" && (len(base.addresses) != 1 || base.addresses[0] != tc.dialed) {
			t.Errorf("%+q: dialed %+q, want %+q (%v)", name, base.addresses, tc.dialed, err)
		}
		if sent := strings.Contains(header.Get("baggage"), s.ID()); sent != tc.sent && (err == nil || sent) {
			t.Errorf("%+q: sent %v, dialed %+q (%v)", name, sent, base.addresses, err)
		}
	}
}

// TestTransportHandmadeURL uses URLs that no parser made.
func TestTransportHandmadeURL(t *testing.T) {
	ctx, s := sessiontest.New(t).Tracer.StartSession(t.Context(), "s")
	defer s.End()
	for _, tc := range []struct {
		url  url.URL
		sent bool
	}{
		{url.URL{Scheme: "http", Host: "docs.corp"}, true},
		{url.URL{Scheme: "https", Host: "[docs.corp]:443"}, true},
		{url.URL{Scheme: "http", Host: "a/.docs.corp"}, false},
		{url.URL{Scheme: "http", Host: "attacker.test\x00.docs.corp"}, false},
		{url.URL{Scheme: "http", Host: "attacker.test .docs.corp"}, false},
		{url.URL{Scheme: "http", Host: "docs.corp:80:81"}, false},
		{url.URL{Scheme: "http", Host: "docs.corp", Opaque: "//attacker.test/x"}, false},
		{url.URL{Scheme: "http", Host: "docs.corp", Opaque: "/x"}, true},
		{url.URL{Scheme: "http"}, false},
	} {
		sent := false
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("baggage") != ""
			return &http.Response{Body: http.NoBody}, nil
		})
		r := (&http.Request{URL: &tc.url, Header: http.Header{}}).WithContext(ctx)
		resp, err := sessionspan.Transport(base, "docs.corp", "*.docs.corp").RoundTrip(r)
		if err != nil || sent != tc.sent {
			t.Errorf("%+v: sent %v, %v", tc.url, sent, err)
		}
		_ = resp.Body.Close()
	}
}

// TestTransportReportsHosts names what is no host when the transport is made.
func TestTransportReportsHosts(t *testing.T) {
	var reports errorList
	otel.SetErrorHandler(otel.ErrorHandlerFunc(reports.add))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	sessionspan.Transport(nil, "", "a.test", "*.a.test:1", "::1", "[::1]:1", "b\u00fccher.test", "localhost")
	if text := reports.text(); text != "" {
		t.Errorf("reported %s", text)
	}
	for _, host := range []string{"*", "*.", "*.*", "*a.test", "a.*.test", "http://a.test", "a.test/x", "a.test:x", "a b", "*.127.0.0.1", "*.[::1]", "a..test", "user@a.test", "\u0130.test\x00"} {
		before := len(reports.errs)
		sessionspan.Transport(nil, host)
		if len(reports.errs) != before+1 || !strings.Contains(reports.errs[before].Error(), "Transport") {
			t.Errorf("%q: %v", host, reports.errs[before:])
		}
	}
}

// FuzzTransportHosts holds what is sent to what net/http dials.
func FuzzTransportHosts(f *testing.F) {
	for _, host := range []string{"docs.corp", "a.mesh.corp:1", "[::1%25.mesh.corp]", "doc\u017f.corp", "d\u0130.mesh.corp", "127.0.0.1", "x\uff0fy.mesh.corp", "docs.corp@b"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tracer.Shutdown(context.Background()) }()
		ctx, s := tracer.StartSession(t.Context(), "s")
		defer s.End()
		base, sent := dialTo(""), false
		between := roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("baggage") != ""
			return base.RoundTrip(r)
		})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host, http.NoBody)
		if err != nil {
			return
		}
		if resp, err := sessionspan.Transport(between, "docs.corp", "*.mesh.corp").RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
		if !sent {
			return
		}
		for _, address := range base.addresses {
			name, _, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			_, noName := netip.ParseAddr(name)
			name = strings.TrimSuffix(name, ".")
			for i := range len(name) {
				if name[i] >= 0x80 {
					t.Fatalf("%+q: sent to %+q", host, address)
				}
			}
			if noName == nil || !strings.EqualFold(name, "docs.corp") && !strings.HasSuffix(strings.ToLower(name), ".mesh.corp") {
				t.Fatalf("%+q: sent to %+q", host, address)
			}
		}
	})
}
