package read

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// ErrNoPart says that a body has no such part.
var ErrNoPart = errors.New("the body has no such part")

// A Piece is a part of a text, so that a long one is read in several.
type Piece struct {
	Text   string `json:"text"`
	Offset int    `json:"offset"`         // of the first byte
	Next   *int   `json:"next,omitempty"` // where the next piece begins; none where the text ends
	Total  int    `json:"total_bytes"`    // of the text
	JSON   bool   `json:"is_json"`        // the text is JSON, rather than that of a string
}

// Cut returns up to limit bytes of a text from an offset on. It cuts between characters:
// an offset within one is that of its beginning.
func Cut(text string, offset, limit int) Piece {
	back := func(n int) int {
		n = min(max(n, 0), len(text))
		for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		return n
	}
	p := Piece{Offset: back(offset), Total: len(text)}
	end := back(p.Offset + limit)
	if end == p.Offset && end < len(text) { // a character is longer than the limit
		_, n := utf8.DecodeRuneInString(text[end:])
		end += n
	}
	if p.Text = text[p.Offset:end]; end < len(text) {
		p.Next = &end
	}
	return p
}

// Parts are the parts of the body of an event or a session.
var Parts = []string{"inputs", "outputs", "config", "metadata", "metrics", "feedback", "user_properties", "error"}

// Body returns a part of the body of an event or a session as text: a string as it is,
// all else as JSON. An empty part is the body as a whole. What stands deeper is named by
// dots: inputs.chat_history.0.content. It returns [store.ErrNotFound] and [ErrNoPart].
func Body(ctx context.Context, s store.Store, id honeyhive.UUID, part string) (text string, isJSON bool, err error) {
	value, err := payload(ctx, s, id)
	if err != nil || part == "" {
		return string(value), true, err
	}
	if name, _, _ := strings.Cut(part, "."); !slices.Contains(Parts, name) {
		return "", false, fmt.Errorf("%w: %.64q is none of %q", ErrNoPart, name, Parts)
	}
	value, ok := At(value, part)
	if !ok {
		return "", false, fmt.Errorf("%w: %.200q", ErrNoPart, part)
	}
	return value.Text(), value.Kind() != honeyhive.KindString, nil
}

// payload returns the body of a session or an event.
func payload(ctx context.Context, s store.Store, id honeyhive.UUID) (honeyhive.Value, error) {
	e, err := s.Event(ctx, id)
	if err == nil {
		return honeyhive.Value(e.Payload.AppendJSON(nil)), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	session, err := s.Session(ctx, id)
	if err != nil {
		return "", err
	}
	return honeyhive.Value(session.Payload.AppendJSON(nil)), nil
}

// At follows a dotted path into canonical JSON; numbers are places in a list.
func At(text honeyhive.Value, path string) (honeyhive.Value, bool) {
	for name := range strings.SplitSeq(path, ".") {
		var ok bool
		if text.Kind() == honeyhive.KindArray {
			text, ok = element(text, name)
		} else {
			text, ok = text.Get(name)
		}
		if !ok {
			return "", false
		}
	}
	return text, true
}

func element(list honeyhive.Value, place string) (honeyhive.Value, bool) {
	want, err := strconv.Atoi(place)
	n := 0
	for e := range list.Elements() {
		if n == want && err == nil {
			return e, true
		}
		n++
	}
	return "", false
}
