package sessionspan

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/credential"
)

// environment fills in what the options left open, from the variables that
// users of HoneyHive's other SDKs and of OpenTelemetry have set.
func (c *config) environment() {
	if !c.noEnv {
		fromEnv(&c.project, "HH_PROJECT")
		fromEnv(&c.source, "HH_SOURCE")
		fromEnv(&c.sessionName, "HH_SESSION_NAME")
		keyName, key := firstEnv("HH_INGESTION_API_KEY", "HH_API_KEY", "HH_PROJECT_API_KEY")
		urlName, base := firstEnv("HH_API_URL", "HH_DATA_PLANE_URL")
		c.checkIngestionKey()
		if c.http == nil && (key != "" || base != "") {
			c.http = new(httpDestination)
		}
		if c.http != nil {
			if c.http.cfg.KeySource.IsZero() {
				c.http.fill(&c.http.cfg.Key, "Key", key, keyName)
			}
			c.http.fill(&c.http.cfg.URL, "URL", base, urlName)
		}
		c.otel()
		c.honeyHiveCollector(key, base)
		c.capture()
	}
	if c.http != nil {
		// An ingestion key has no other routes, and they ask for no project.
		early, _, _ := credential.Early(c.http.cfg.KeySource) // whose errors NewHTTP has
		if kind, _, _ := honeyhive.ParseKey(cmp.Or(strings.TrimSpace(c.http.cfg.Key), early)); kind == honeyhive.IngestionKey {
			c.http.cfg.V1 = true
		}
	}
}

// checkIngestionKey looks at a variable that is set in vain where an option names
// another key, and says so where it holds no ingestion key all the same.
func (c *config) checkIngestionKey() {
	const name = "HH_INGESTION_API_KEY"
	kind, _, err := honeyhive.ParseKey(env(name))
	switch used := c.http == nil || c.http.cfg.Key == "" && c.http.cfg.KeySource.IsZero(); {
	case env(name) == "":
	case kind == honeyhive.DataPlaneKey && used, kind == honeyhive.IngestionKey && (err == nil || used): // NewHTTP says what is wrong
	case kind == honeyhive.IngestionKey:
		c.problems = append(c.problems, fmt.Errorf("%s: %w", name, err))
	default:
		c.problems = append(c.problems, fmt.Errorf("%s: the key does not begin with hh_ingst_, as ingestion keys do", name))
	}
}

// fill gives an empty field of the configuration a value, and notes which variable
// that is from.
func (d *httpDestination) fill(field *string, name, value, variable string) {
	if *field == "" && value != "" {
		*field = value
		d.from = append(d.from, fmt.Sprintf("HTTPConfig.%s is from %s", name, variable))
	}
}

// named adds to an error of the destination which variables it may be about.
func (d *httpDestination) named(err error) error {
	if err == nil || len(d.from) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(d.from, ", "))
}

// tracesOfHoneyHive is where HoneyHive takes OTLP, below the base of its API.
const tracesOfHoneyHive = "/opentelemetry/v1/traces"

// honeyHiveCollector gives the key of the environment to a collector that is
// HoneyHive's own endpoint at the address of the environment, where it has no
// credentials yet. No other collector gets it.
func (c *config) honeyHiveCollector(key, base string) {
	if c.otlp == nil || key == "" || c.otlp.cfg.Key != "" || !c.otlp.cfg.KeySource.IsZero() || namesCredentials(c.otlp.cfg.Headers) {
		return
	}
	endpoint := c.otlp.cfg.URL
	if endpoint == "" {
		endpoint = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	}
	if endpoint == "" {
		endpoint = strings.TrimRight(env("OTEL_EXPORTER_OTLP_ENDPOINT"), "/") + "/v1/traces"
	}
	if sameAddress(endpoint, cmp.Or(base, exporter.DefaultURL)+tracesOfHoneyHive) {
		c.otlp.cfg.Key = key
	}
}

// namesCredentials reports whether a collector is given credentials of its own.
func namesCredentials(headers map[string]string) bool {
	for name := range headers {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"} {
		for pair := range strings.SplitSeq(env(variable), ",") {
			name, _, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "Authorization") {
				return true
			}
		}
	}
	return false
}

// sameAddress reports whether two URLs have the same scheme, host, port and path.
func sameAddress(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	if err != nil || err2 != nil || u.User != nil || u.RawQuery != "" {
		return false
	}
	clean := func(p string) string { return strings.Trim(path.Clean("/"+p), "/") }
	return strings.EqualFold(u.Scheme, v.Scheme) && strings.EqualFold(u.Host, v.Host) && clean(u.Path) == clean(v.Path)
}

// capture reads whether content may leave, and on what: on spans, which collectors get,
// or on events alone, which are log records and which this library does not send. A word
// that is not known is an error: whoever meant to keep content in is not to find it outside.
// The words are those of OpenTelemetry's instrumentations of GenAI, the older true and
// false among them:
// https://github.com/open-telemetry/opentelemetry-python-contrib/tree/main/util/opentelemetry-util-genai.
func (c *config) capture() {
	const name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
	switch mode := env(name); strings.ToLower(mode) {
	case "", "true", "span_only", "span_and_event":
	case "event_only":
		c.forSpans = []exporter.Option{exporter.WithoutContent()}
	case "false", "no_content":
		c.shared = append([]exporter.Option{exporter.WithoutContent()}, c.shared...)
	default:
		c.problems = append(c.problems, fmt.Errorf("%s: %q is none of true, false, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT and NO_CONTENT", name, mode))
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

// firstEnv returns the first of the variables that is set, and its value.
func firstEnv(names ...string) (name, value string) {
	for _, name := range names {
		if value := env(name); value != "" {
			return name, value
		}
	}
	return "", ""
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
	"set HH_INGESTION_API_KEY or HH_API_KEY (and HH_API_URL), or OTEL_EXPORTER_OTLP_ENDPOINT, or use WithHTTP, WithOTLP or WithWriter")
