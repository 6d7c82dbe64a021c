// Package content is the gate between what users, models and tools say and the
// destinations that are not to have it.
//
// The gate lets through what it knows to be no content: a list of fields of payloads and
// of attributes (see allow.go), of which some may be numbers alone. What is on no list is
// content, whoever wrote it: so an attribute that nobody here has heard of stays in.
package content

import (
	"strings"

	"github.com/sessionspan/sessionspan/convert"
)

// A Kind is a kind of content.
type Kind uint8

// The kinds of content.
const (
	Inputs  Kind = iota // what users ask, messages, documents that are given, arguments of tools
	Outputs             // what models answer, documents that are found, results of tools
	Errors              // the texts of errors, and stacks
	Config              // prompt templates, instructions, tools and their schemas, parameters that nobody knows
	Notes               // metadata, metrics, feedback and user properties, but for those that say no text
	Other               // attributes that nobody knows, and those of requests and queries
	Kinds               // how many there are
)

// A Mode says what becomes of content.
type Mode uint8

// The modes.
const (
	Full   Mode = iota // it stays as it is
	Hashed             // a hash takes the place of each text and number
	None               // it is left out
)

// kindOfBucket are the kinds of what stands in buckets.
var kindOfBucket = [...]Kind{
	convert.Config: Config, convert.Inputs: Inputs, convert.Outputs: Outputs, convert.Metadata: Notes,
	convert.Metrics: Notes, convert.Feedback: Notes, convert.UserProperties: Notes,
}

// kindOfField returns the kind of what lands in fields of a payload, as tables of the
// conversion write them.
func kindOfField(fields string) Kind {
	kind := Other
	for field := range strings.SplitSeq(fields, ", ") {
		name, _, _ := strings.Cut(field, ".")
		switch name {
		case "inputs":
			return Inputs
		case "outputs":
			return Outputs
		case "error":
			kind = Errors
		case "config":
			kind = Config
		default:
			if kind == Other {
				kind = Notes
			}
		}
	}
	return kind
}
