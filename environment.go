package sessionspan

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/credential"
	"github.com/sessionspan/sessionspan/internal/env"
)

// environment fills in what the options left open, from the variables that
// users of HoneyHive's other SDKs and of OpenTelemetry have set.
func (c *config) environment() {
	if !c.noEnv {
		fromEnv(&c.project, "HH_PROJECT")
		fromEnv(&c.source, "HH_SOURCE")
		fromEnv(&c.sessionName, "HH_SESSION_NAME")
		keyName, key := env.First("HH_INGESTION_API_KEY", "HH_API_KEY", "HH_PROJECT_API_KEY")
		urlName, base := env.First("HH_API_URL", "HH_DATA_PLANE_URL")
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
		early, _, _ := credential.Early(credential.Of(c.http.cfg.KeySource)) // whose errors NewHTTP has
		if kind, _, _ := honeyhive.ParseKey(cmp.Or(strings.TrimSpace(c.http.cfg.Key), early)); kind == honeyhive.IngestionKey {
			c.http.cfg.V1 = true
		}
	}
}

// checkIngestionKey looks at a variable that is set in vain where an option names
// another key, and says so where it holds no ingestion key all the same.
func (c *config) checkIngestionKey() {
	const name = "HH_INGESTION_API_KEY"
	kind, _, err := honeyhive.ParseKey(env.Get(name))
	switch used := c.http == nil || c.http.cfg.Key == "" && c.http.cfg.KeySource.IsZero(); {
	case env.Get(name) == "":
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
	if c.otlp == nil || key == "" || c.otlp.cfg.Key != "" || !c.otlp.cfg.KeySource.IsZero() || env.NamesCredentials(c.otlp.cfg.Headers) {
		return
	}
	endpoint := c.otlp.cfg.URL
	if endpoint == "" {
		endpoint = env.Get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	}
	if endpoint == "" {
		endpoint = strings.TrimRight(env.Get("OTEL_EXPORTER_OTLP_ENDPOINT"), "/") + "/v1/traces"
	}
	if env.SameAddress(endpoint, cmp.Or(base, exporter.DefaultURL)+tracesOfHoneyHive) {
		c.otlp.cfg.Key = key
	}
}

// capture reads whether content may leave, and on what: on spans, which collectors get,
// or on events alone, which are log records and which this library does not send. A word
// that is not known is an error: whoever meant to keep content in is not to find it outside.
// The words are those of OpenTelemetry's instrumentations of GenAI, the older true and
// false among them:
// https://github.com/open-telemetry/opentelemetry-python-contrib/tree/main/util/opentelemetry-util-genai.
func (c *config) capture() {
	const name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
	switch mode := env.Get(name); strings.ToLower(mode) {
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
	if c.sampler, err = env.Sampler(); err != nil {
		c.problems = append(c.problems, err)
	}
	named := env.Get("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || env.Get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	kinds := env.Get("OTEL_TRACES_EXPORTER")
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
	return !c.noEnv && strings.EqualFold(env.Get("OTEL_SDK_DISABLED"), "true")
}

func fromEnv(field *string, name string) {
	if *field == "" {
		*field = env.Get(name)
	}
}

// errNowhere is reported where nothing was asked for.
var errNowhere = errors.New("sessionspan: no destination is configured, so nothing is recorded: " +
	"set HH_INGESTION_API_KEY or HH_API_KEY (and HH_API_URL), or OTEL_EXPORTER_OTLP_ENDPOINT, or use WithHTTP, WithOTLP or WithWriter")
