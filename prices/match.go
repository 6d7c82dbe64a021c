package prices

import (
	"regexp"
	"strings"
)

// Names are compared whole. What is taken off a name before that is what is known to
// say nothing of the price: where the model is served, and a date behind its name. A
// name with a date has a price of its own where the table has it.

// fold returns a name as names are compared.
func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// tierOf returns a service tier as names are compared: "" for the usual one.
func tierOf(tier string) string {
	switch tier = fold(tier); tier {
	case "default", "standard", "auto", "on_demand", "standard_only":
		return ""
	}
	return tier
}

// find returns the price of a model, or nil.
func (t *Table) find(seller, called, tier string) (*provider, *model) {
	if t == nil {
		return nil, nil
	}
	name := unwrap(fold(called))
	maker, rest, prefixed := t.prefix(name)
	if seller = fold(seller); seller != "" {
		p := t.byName[seller]
		if p == nil {
			return nil, nil
		}
		if m := p.find(name, tier); m != nil {
			return p, m
		}
		if prefixed && maker == p {
			return p, p.find(rest, tier)
		}
		return nil, nil
	}
	if prefixed {
		return maker, maker.find(rest, tier)
	}
	var at *provider
	var found *model
	for _, p := range t.providers {
		m := p.find(name, tier)
		if m == nil {
			continue
		}
		if found != nil && (p.currency != at.currency || !found.costsAs(m)) {
			return nil, nil
		}
		if found == nil {
			at, found = p, m
		}
	}
	return at, found
}

// costsAs reports whether two models have the same prices.
func (m *model) costsAs(n *model) bool {
	if m.rates != n.rates || len(m.above) != len(n.above) {
		return false
	}
	for i := range m.above {
		if m.above[i] != n.above[i] {
			return false
		}
	}
	return true
}

// prefix takes the name of a provider off that of a model, as in openai/gpt-4.1.
func (t *Table) prefix(name string) (p *provider, rest string, ok bool) {
	before, rest, ok := strings.Cut(name, "/")
	if p = t.byName[before]; !ok || p == nil {
		return nil, "", false
	}
	return p, rest, true
}

// find returns the price of a model at a provider, or nil.
func (p *provider) find(name, tier string) *model {
	for _, n := range [...]string{name, undated(name), unplaced(name), undated(unplaced(name))} {
		if m := p.models[modelKey{n, tier}]; m != nil {
			return m
		}
	}
	return nil
}

// arn is that of a model of Amazon Bedrock, or of one of its own inference profiles.
// See https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
var arn = regexp.MustCompile(`^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(?:foundation-model|inference-profile)/`)

// resource is what the Gemini API and Vertex AI put before the name of a model: see
// https://ai.google.dev/api/models and
// https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models
var resource = regexp.MustCompile(`^(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/)?models/`)

// unwrap takes off what services put before the name of a model.
func unwrap(name string) string {
	for _, before := range [...]*regexp.Regexp{arn, resource} {
		if at := before.FindString(name); at != "" {
			return name[len(at):]
		}
	}
	return name
}

// place is that of an inference profile of Amazon Bedrock which keeps a request in a
// geography; global ones have prices, and so names, of their own.
var place = regexp.MustCompile(`^(?:us|us-gov|eu|apac|jp|au|ca|in|sa)\.([a-z0-9]+\.)`)

// unplaced takes the geography off the name of an inference profile, and the number of
// the revision that all models of Bedrock have behind theirs.
func unplaced(name string) string {
	return strings.TrimSuffix(place.ReplaceAllString(name, "$1"), ":0")
}

// date stands behind the name of a model that was made then.
var date = regexp.MustCompile(`(?:-20[2-3][0-9]-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])|[-@]20[2-3][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))$`)

// undated takes the date off the name of a model.
func undated(name string) string { return date.ReplaceAllString(name, "") }
