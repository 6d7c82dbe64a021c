package env_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/internal/env"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unset unsets the variables that are read here.
func unset(t *testing.T) {
	t.Helper()
	for _, name := range []string{"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		t.Setenv(name, "")
	}
}

func TestFirst(t *testing.T) {
	t.Setenv("SESSIONSPAN_TEST_A", " ")
	t.Setenv("SESSIONSPAN_TEST_B", " b ")
	t.Setenv("SESSIONSPAN_TEST_C", "c")
	if name, value := env.First("SESSIONSPAN_TEST_A", "SESSIONSPAN_TEST_B", "SESSIONSPAN_TEST_C"); name != "SESSIONSPAN_TEST_B" || value != "b" {
		t.Errorf("%s is %q", name, value)
	}
	if name, value := env.First("SESSIONSPAN_TEST_A"); name != "" || value != "" {
		t.Errorf("%s is %q", name, value)
	}
}

// TestSampler reads what the specification lists, and refuses the rest.
func TestSampler(t *testing.T) {
	for _, c := range []struct{ name, arg, want string }{
		{"", "", "ParentBased{root:AlwaysOnSampler,remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"},
		{"always_on", "", "AlwaysOnSampler"},
		{"always_off", "", "AlwaysOffSampler"},
		{"traceidratio", "0.25", "TraceIDRatioBased{0.25}"},
		{"traceidratio", "", "TraceIDRatioBased{1}"},
		{"always_on", "none", "AlwaysOnSampler"}, // which takes no argument
		{"traceidratio", "2", ""},
		{"traceidratio", "NaN", ""},
		{"parentbased_traceidratio", "x", ""},
		{"jaeger_remote", "", ""},
	} {
		unset(t)
		t.Setenv("OTEL_TRACES_SAMPLER", c.name)
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.arg)
		s, err := env.Sampler()
		if (err == nil) != (c.want != "") || err == nil && s.Description() != c.want {
			t.Errorf("%s of %q: %v, %v", c.name, c.arg, s, err)
		}
	}
}

func TestNamesCredentials(t *testing.T) {
	unset(t)
	if env.NamesCredentials(map[string]string{"X-Team": "a"}) || !env.NamesCredentials(map[string]string{"authorization": "Bearer x"}) {
		t.Error("headers are misread")
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		unset(t)
		t.Setenv(name, "x-team=a, AUTHORIZATION =Bearer%20x")
		if !env.NamesCredentials(nil) {
			t.Errorf("%s is misread", name)
		}
	}
}

func TestSameAddress(t *testing.T) {
	const a = "https://api.example.com/opentelemetry/v1/traces"
	for b, want := range map[string]bool{
		a: true, a + "/": true, "HTTPS://API.example.com//opentelemetry/./v1/traces": true,
		"http://api.example.com/opentelemetry/v1/traces":           false,
		"https://api.example.com:443/opentelemetry/v1/traces":      false,
		"https://api.example.com/v1/traces":                        false,
		"https://api.example.com.evil.com/opentelemetry/v1/traces": false,
		"://": false,
	} {
		if got := env.SameAddress(a, b); got != want {
			t.Errorf("%s: %v", b, got)
		}
	}
	if env.SameAddress("https://user@api.example.com/", "https://api.example.com/") || env.SameAddress(a+"?x=1", a) {
		t.Error("an address with a user or a query is the same")
	}
}
