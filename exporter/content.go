package exporter

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sessionspan/sessionspan/internal/content"
)

// A ContentKind is a kind of what users, models and tools say, of which a destination
// gets all, hashes or nothing: see [WithContent], [WithHashedContent] and
// [WithoutContent].
type ContentKind int

const (
	// ContentInputs is what is asked: messages, queries, documents that are given, the
	// arguments of tools.
	ContentInputs ContentKind = iota + 1
	// ContentOutputs is what is answered: messages, documents that are found, the results
	// of tools.
	ContentOutputs
	// ContentErrors is the texts of errors and of statuses, and stacks.
	ContentErrors
	// ContentConfig is prompt templates, instructions, tools with their schemas, and what
	// else stands in a configuration and is no parameter that is known.
	ContentConfig
	// ContentNotes is what stands in metadata, metrics, feedback and user properties, but
	// for counts, times, costs, ids and names that are known, and for scores.
	ContentNotes
	// ContentOther is attributes that nobody here knows, and those that say what is
	// requested of others: addresses with their queries, parameters of databases.
	ContentOther
)

// contentKinds are the kinds, in the order of the constants.
var contentKinds = [...]content.Kind{content.Inputs, content.Outputs, content.Errors, content.Config, content.Notes, content.Other}

// WithContent sends content to this destination, of the given kinds, or of all where none
// is given. It is the default, and is for a destination that is to have content while
// another option, or OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT, keeps it from the
// others. Of options for the same kind the last counts.
func WithContent(kinds ...ContentKind) Option {
	return func(c *config) { c.contentMode("WithContent", content.Full, kinds) }
}

// WithoutContent keeps what users, models and tools say out of this destination, of the
// given kinds, or of all where none is given. Structure, names, ids, types, models and
// their parameters, usage, costs, scores, sizes and times stay; how many bytes of inputs
// and outputs were left out says the metadata, as inputs_bytes and outputs_bytes.
//
// It lets through what is known to be no content, rather than to look for content:
// attributes and members of buckets by their names, some of them as numbers alone, names
// in one line of at most 256 bytes. Attributes that this library does not know stay out,
// those of the resource and of instrumentation scopes included, unless
// [WithAllowedAttributes] names them. Names of spans, sessions, tools and models, labels
// (tags, the release, the prompt) and the ids of users are the program's and stay:
// [WithRedaction] is for those.
//
// What a spool holds from a process without the option is looked at too, before it is
// sent. Its files are left as they are until then.
func WithoutContent(kinds ...ContentKind) Option {
	return func(c *config) { c.contentMode("WithoutContent", content.None, kinds) }
}

// WithHashedContent is [WithoutContent] which puts a hash in the place of each text and
// each number that it leaves out, so that what is the same can be told to be: the first
// 128 bits of the HMAC-SHA-256 of it, keyed by salt, as in [hashed:4f0c…]. Objects and lists
// keep their shape, also in JSON that stands in a text, and the keys that conventions
// have. The salt has at least 16 bytes and is copied; who knows it can find out what of the
// texts that he can guess stands behind a hash. A hash is the same on every machine with
// the same salt. Attributes that nobody knows are left out.
func WithHashedContent(salt []byte, kinds ...ContentKind) Option {
	salt = slices.Clone(salt)
	return func(c *config) {
		const least = 16
		if len(salt) < least {
			c.check("WithHashedContent", fmt.Errorf("a salt of %d bytes is too short: at least %d", len(salt), least))
		}
		c.content.Salt = salt
		c.contentMode("WithHashedContent", content.Hashed, kinds)
	}
}

// WithAllowedAttributes names attributes, of spans, events, links, scopes and the
// resource, that are no content, for destinations without it: "tenant", or "app." for all
// that begin so. They are sent as they are. An empty name is an error.
func WithAllowedAttributes(names ...string) Option {
	return func(c *config) {
		if slices.Contains(names, "") {
			c.check("WithAllowedAttributes", errors.New("a name is empty"))
		}
		c.content.Allowed = append(slices.Clip(c.content.Allowed), names...)
	}
}

// contentMode sets what becomes of content of some kinds, or of all.
func (c *config) contentMode(option string, mode content.Mode, kinds []ContentKind) {
	if len(kinds) == 0 {
		for i := range c.content.Modes {
			c.content.Modes[i] = mode
		}
	}
	for _, k := range kinds {
		if k < 1 || int(k) > len(contentKinds) {
			c.check(option, fmt.Errorf("there is no kind of content %d", int(k)))
			continue
		}
		c.content.Modes[contentKinds[k-1]] = mode
	}
}

// guard makes of the options what a destination may not see.
func (c *config) guard() {
	p := &c.privacy
	p.gate, p.common = content.New(c.content), new(common)
	p.closed = &privacy{gate: content.NewClosed(c.content), policies: p.policies, common: new(common)}
}
