package sessionspan

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/label"
)

// This file names what sessions and events are grouped and filtered by: the prompt,
// the release of the program, and tags. They stand where the conversion puts what
// other libraries call the same.

// WithPrompt names the prompt that a model is asked with, and its version:
// config.prompt_name and config.prompt_version, and gen_ai.prompt.name and
// gen_ai.prompt.version on the span. An empty version is left out. A prompt without
// a name, and names of more than 200 characters, are reported and left out.
func WithPrompt(name, version string) FieldOption {
	return FieldOption{field: fieldPrompt, text: name, second: version}
}

// WithRelease says which version of the program a session or event is of:
// metadata.release. Given to [New] it is that of all sessions and turns that the
// tracer starts, and service.version of the resource of a provider that New makes, where
// that names none. An empty one sets nothing. One of more than 200 characters is an
// error of New, or reported and left out.
func WithRelease(version string) FieldOption { return FieldOption{field: fieldRelease, text: version} }

// WithTags adds tags to a session or event: metadata.tags, a list. Tags that were
// added before stay, and each is there once: those of [New], which all sessions and
// turns have that the tracer starts, of the start, of AddTags and of the end. A tag that is blank
// or has more than 200 characters, and what is beyond 64 tags, is an error of New, or
// reported and left out. The slice must not change until the call that takes the
// option returns. Metadata that is set under that name, and these tags, replace each
// other: the later counts.
//
// [Update] knows no earlier tags, and takes none.
func WithTags(tags ...string) FieldOption { return FieldOption{field: fieldTags, value: tags} }

// AddTags adds tags to the session; see [WithTags]. On a session that has ended the
// longer list is delivered as an update, and on one that was continued a list of
// what was added here, in place of what the session had.
func (s *Session) AddTags(tags ...string) { s.recording().addTags(tags) }

// AddTags adds tags to the event; see [WithTags]. After End the longer list is
// delivered as an update.
func (e *Event) AddTags(tags ...string) { e.recording().addTags(tags) }

func (r *recording) setPrompt(o *FieldOption) {
	name, version := validText(o.text), validText(o.second)
	if !r.active() || name == "" && version == "" || r.refuses(o.checkLabels()) {
		return
	}
	var w objectWriter
	w.text("prompt_name", name)
	w.text("prompt_version", version)
	r.setBytes(convert.Config, w.bytes())
	if !r.viewers() {
		return
	}
	r.fields.AddGenAI(genai.PromptName.String(name))
	if version != "" {
		r.fields.AddGenAI(genai.PromptVersion.String(version))
	}
}

func (r *recording) setRelease(o *FieldOption) {
	if !r.active() || o.text == "" || r.refuses(o.checkLabels()) {
		return
	}
	var w objectWriter
	w.text("release", validText(o.text))
	r.setBytes(convert.Metadata, w.bytes())
}

func (r *recording) addTags(tags []string) {
	if !r.active() || len(tags) == 0 {
		return
	}
	good, problem := label.Tags(tags)
	p, ok, left, err := r.fields.AddTags(good, label.MostTags)
	if left > 0 {
		problem = errors.Join(problem, fmt.Errorf("%d of them are more than %d", left, label.MostTags))
	}
	if problem != nil {
		r.refuses(fmt.Errorf("WithTags: %w", problem))
	}
	r.added(p, ok, err)
}

// refuses reports an error of a label that is left out, if there is one.
func (r *recording) refuses(err error) bool {
	if err != nil {
		r.reporter().reports.Report("label", fmt.Errorf("sessionspan: %w: left out", err))
	}
	return err != nil
}

// checkLabels returns what is wrong with the labels of an option.
func (o *FieldOption) checkLabels() (err error) {
	switch tags, _ := o.value.([]string); {
	case o.field == fieldTags:
		_, err = label.Tags(tags)
		if err == nil && len(tags) > label.MostTags {
			err = fmt.Errorf("%d tags are more than %d", len(tags), label.MostTags)
		}
	case o.field == fieldPrompt && o.text == "":
		err = fmt.Errorf("version %.50q of a prompt without a name", o.second)
	default:
		err = errors.Join(label.Check(o.text), label.Check(o.second))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.name(), err)
	}
	return nil
}

// label takes a label as the default of all sessions.
func (c *config) label(o FieldOption) {
	if err := o.checkLabels(); err != nil {
		c.problems = append(c.problems, err)
		return
	}
	if tags, ok := o.value.([]string); ok {
		o.value = slices.Clone(tags)
	}
	c.labels = append(c.labels, o)
}

// versioned returns the resource of a provider that New makes, with the release as
// the version of the service where it has none. A nil resource stands for the
// default.
func (c *config) versioned() *resource.Resource {
	const version = "service.version"
	release := ""
	for i := range c.labels {
		if o := &c.labels[i]; o.field == fieldRelease && o.text != "" {
			release = o.text
		}
	}
	if release == "" {
		return c.resource
	}
	r := c.resource
	if r == nil {
		r = resource.Default()
	}
	if r.Set().HasValue(version) {
		return r
	}
	merged, err := resource.Merge(r, resource.NewSchemaless(attribute.String(version, validText(release))))
	if err != nil {
		return r
	}
	return merged
}
