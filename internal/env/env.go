// Package env reads variables of the environment, those of OpenTelemetry in the meaning
// that its specification gives them.
package env

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// First returns the first of the variables that is set, and its value.
func First(names ...string) (name, value string) {
	for _, name := range names {
		if value := Get(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

// Get returns the value of a variable, without white space around it.
func Get(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// Sampler returns the sampler that OTEL_TRACES_SAMPLER asks for, in the
// meaning that the OpenTelemetry specification gives its values.
func Sampler() (sdktrace.Sampler, error) {
	name, arg := Get("OTEL_TRACES_SAMPLER"), Get("OTEL_TRACES_SAMPLER_ARG")
	ratio := 1.0
	if strings.HasSuffix(name, "traceidratio") && arg != "" {
		f, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is no number from 0 to 1", arg)
		}
		ratio = f
	}
	switch name {
	case "", "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is not known", name)
}

// NamesCredentials reports whether a collector is given credentials of its own, by headers or by the variables
// of OpenTelemetry that hold some.
func NamesCredentials(headers map[string]string) bool {
	for name := range headers {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"} {
		for pair := range strings.SplitSeq(Get(variable), ",") {
			name, _, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "Authorization") {
				return true
			}
		}
	}
	return false
}

// SameAddress reports whether two URLs have the same scheme, host, port and path.
func SameAddress(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	if err != nil || err2 != nil || u.User != nil || u.RawQuery != "" {
		return false
	}
	clean := func(p string) string { return strings.Trim(path.Clean("/"+p), "/") }
	return strings.EqualFold(u.Scheme, v.Scheme) && strings.EqualFold(u.Host, v.Host) && clean(u.Path) == clean(v.Path)
}
