package sessionspan

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/exporter"
)

// environment fills in what the options left open, from the variables that
// users of HoneyHive's other SDKs and of OpenTelemetry have set.
func (c *config) environment() {
	if c.noEnv {
		return
	}
	fromEnv(&c.project, "HH_PROJECT")
	fromEnv(&c.source, "HH_SOURCE")
	fromEnv(&c.sessionName, "HH_SESSION_NAME")

	key, url := env("HH_API_KEY"), env("HH_API_URL")
	if c.http == nil && (key != "" || url != "") {
		c.http = new(httpDestination)
	}
	if c.http != nil {
		if c.http.cfg.Key == "" {
			c.http.cfg.Key = key
		}
		if c.http.cfg.URL == "" {
			c.http.cfg.URL = url
		}
	}
	c.otel()
	switch mode := strings.ToLower(env("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")); mode {
	case "false", "no_content":
		c.shared = append([]exporter.Option{exporter.WithoutContent()}, c.shared...)
	}
}

// otel reads the sampler, and the collector that OpenTelemetry's variables name.
// A provider of the user's own has both already.
func (c *config) otel() {
	if c.provider != nil {
		return
	}
	var err error
	if c.sampler, err = envSampler(); err != nil {
		c.problems = append(c.problems, err)
	}
	named := env("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	kinds := env("OTEL_TRACES_EXPORTER")
	if kinds == "" && named {
		kinds = "otlp"
	}
	for kind := range strings.SplitSeq(kinds, ",") {
		switch strings.TrimSpace(kind) {
		case "", "none":
		case "otlp":
			if c.otlp == nil {
				c.otlp = new(otlpDestination)
			}
		case "console":
			WithWriter(os.Stdout).apply(c)
		default:
			c.problems = append(c.problems, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is none of otlp, console and none", kind))
		}
	}
}

// disabled reports whether OpenTelemetry is switched off as a whole.
func (c *config) disabled() bool {
	return !c.noEnv && strings.EqualFold(env("OTEL_SDK_DISABLED"), "true")
}

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

func fromEnv(field *string, name string) {
	if *field == "" {
		*field = env(name)
	}
}

// envSampler returns the sampler that OTEL_TRACES_SAMPLER asks for, in the
// meaning that the OpenTelemetry specification gives its values.
func envSampler() (sdktrace.Sampler, error) {
	name, arg := env("OTEL_TRACES_SAMPLER"), env("OTEL_TRACES_SAMPLER_ARG")
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

// errNowhere is reported where nothing was asked for.
var errNowhere = errors.New("sessionspan: no destination is configured, so nothing is recorded: " +
	"set HH_API_KEY (and HH_API_URL), or OTEL_EXPORTER_OTLP_ENDPOINT, or use WithHTTP, WithOTLP or WithWriter")
