// Package label says what can be a label, by which sessions and events are grouped.
package label

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of labels: what is longer is text rather than a label, and what are more
// group nothing. The length is that of Langfuse's tags and releases.
const (
	longest  = 200 // characters
	MostTags = 64
)

// Check returns what is wrong with a label.
func Check(text string) error {
	if n := utf8.RuneCountInString(text); n > longest {
		return fmt.Errorf("%.50q… has %d characters, more than %d", text, n, longest)
	}
	return nil
}

// Tags returns the tags that can be used, and what is wrong with the others.
func Tags(tags []string) (good []string, err error) {
	for _, tag := range tags {
		problem := Check(tag)
		if strings.TrimSpace(tag) == "" {
			problem = errors.New("a tag is empty")
		}
		if problem != nil {
			err = problem // the last will do
			continue
		}
		good = append(good, strings.Clone(strings.ToValidUTF8(tag, "\uFFFD")))
	}
	return good, err
}
