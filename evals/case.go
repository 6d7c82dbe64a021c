package evals

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Case is one input of a suite, and what is expected of it.
type Case[I, O any] struct {
	// Name is the name of the subtest, and what a baseline knows the case by. Where
	// it is empty, it is the ID, or else made of the input: its first words, and six
	// digits of a hash.
	Name string `json:"name,omitempty"`
	// ID is the datapoint_id of the sessions. Where it is empty it is derived from
	// the input and what is expected; it begins with EXT- then, which is how HoneyHive
	// marks data that it does not hold.
	ID string `json:"id,omitempty"`
	// Input is what the task is given.
	Input I `json:"input"`
	// Expected is what scorers compare the output with. The zero value stands for a
	// case that expects nothing in particular.
	Expected O `json:"expected,omitzero"`
	// Metadata is for the metadata of the sessions, and for scorers.
	Metadata map[string]any `json:"metadata,omitempty"`
}

// longestLine bounds one line of a file of cases, in bytes.
const longestLine = 64 << 20

// Load returns the cases of a file of JSON lines, for [Suite.Cases]. A line is an
// object with the member input, and if there are any with expected, name, id and
// metadata, as [Case] has them:
//
//	{"name": "defer", "input": "When do deferred calls run?", "expected": {"text": "When the function returns."}}
//
// `sessionspan export -cases` writes such lines out of sessions. Empty lines are
// passed over. The file is read anew by each run. A line that cannot be read, that
// has another member, or that lacks an input yields an error that names the file
// and the line, and the next line follows.
func Load[I, O any](path string) iter.Seq2[Case[I, O], error] {
	return func(yield func(Case[I, O], error) bool) {
		f, err := os.Open(path) //nolint:gosec // the caller names it
		if err != nil {
			yield(Case[I, O]{}, fmt.Errorf("load cases: %w", err))
			return
		}
		defer func() { _ = f.Close() }()
		r := bufio.NewReaderSize(f, 64<<10)
		for number := 1; ; number++ {
			line, err := readLine(r)
			last := errors.Is(err, io.EOF)
			if err != nil && !last {
				yield(Case[I, O]{}, fmt.Errorf("load cases: %s:%d: %w", path, number, err))
				return
			}
			if number == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				c, err := parseCase[I, O](line)
				if err != nil {
					err = fmt.Errorf("load cases: %s:%d: %w", path, number, err)
				}
				if !yield(c, err) {
					return
				}
			}
			if last {
				return
			}
		}
	}
}

// readLine returns the next line, and io.EOF with the last one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > longestLine {
			return nil, fmt.Errorf("the line is longer than %d bytes", longestLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func parseCase[I, O any](line []byte) (c Case[I, O], err error) {
	if !utf8.Valid(line) {
		return c, errors.New("is no UTF-8")
	}
	var raw struct {
		Name     string          `json:"name"`
		ID       string          `json:"id"`
		Input    json.RawMessage `json:"input"`
		Expected json.RawMessage `json:"expected"`
		Metadata map[string]any  `json:"metadata"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields() // a misspelled member would go unseen
	if err := dec.Decode(&raw); err != nil {
		return c, fmt.Errorf("is no case: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("is no case: something stands behind the object")
	}
	c.Name, c.ID, c.Metadata = raw.Name, raw.ID, raw.Metadata
	if raw.Input == nil {
		return c, errors.New("is no case: it has no input")
	}
	if err := json.Unmarshal(raw.Input, &c.Input); err != nil {
		return c, fmt.Errorf("input: %w", err)
	}
	if raw.Expected != nil {
		if err := json.Unmarshal(raw.Expected, &c.Expected); err != nil {
			return c, fmt.Errorf("expected: %w", err)
		}
	}
	return c, nil
}

// Cases returns the given cases, for [Suite.Cases].
func Cases[I, O any](cases ...Case[I, O]) iter.Seq2[Case[I, O], error] {
	return func(yield func(Case[I, O], error) bool) {
		for _, c := range cases {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// A namedCase is a case of a run: its name and id are set.
type namedCase[I, O any] struct {
	Case[I, O]
	sum string // of the input and what is expected; changes where the case does
}

// collect returns the cases of a sequence, and what is wrong with others: errors of
// the sequence, and cases whose name an earlier one has.
func collect[I, O any](cases iter.Seq2[Case[I, O], error]) (list []namedCase[I, O], problems []error) {
	seen := make(map[string]bool)
	for c, err := range cases {
		if err != nil {
			problems = append(problems, err)
			continue
		}
		sum := sumOf(c.Input, c.Expected, c.Name+"\x00"+c.ID)
		if c.Name == "" {
			if c.Name = c.ID; c.Name == "" {
				c.Name = nameOf(c.Input, sum)
			}
		}
		if c.ID == "" {
			c.ID = "EXT-" + sum[:24]
		}
		if seen[c.Name] {
			problems = append(problems, fmt.Errorf("the case %q stands twice, or two cases have this name: the later is left out", c.Name))
			continue
		}
		seen[c.Name] = true
		list = append(list, namedCase[I, O]{c, sum})
	}
	return list, problems
}

// sumOf returns a hash of values as JSON, or of otherwise where they have none.
func sumOf(input, expected any, otherwise string) string {
	text, err := json.Marshal([2]any{input, expected})
	if err != nil {
		text = []byte(otherwise)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// nameOf makes a name of an input.
func nameOf(input any, sum string) string {
	var b strings.Builder
	for w := range strings.FieldsFuncSeq(strings.ToLower(textOf(nil, input)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if b.Len()+len(w) > 40 {
			break
		}
		b.WriteString(w + "-")
	}
	return b.String() + sum[:6]
}
