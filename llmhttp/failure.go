package llmhttp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/errortype"
)

// This file says what went wrong, without the keys that the request held.

// mostRaw bounds in bytes what is kept of the body of an error that is no JSON.
// It is cut when it holds no credentials any more: one that is cut is not found.
const mostRaw = 1 << 10

// failure returns what went wrong: a word for error.type, and a text.
func (c *call) failure(err error, how string) (kind, text string) {
	kind, text = c.problem(err, how)
	kind, text = c.hideError(kind), c.hideError(text)
	if p := c.x.problem; p != nil && p.raw && len(text) > mostRaw {
		text = strings.ToValidUTF8(text[:mostRaw], "")
	}
	return kind, text
}

func (c *call) problem(err error, how string) (kind, text string) {
	x := c.x
	switch {
	case c.status >= http.StatusBadRequest:
		p := problem{kind: c.errorType}
		if x.problem != nil {
			p = problem{kind: cmp.Or(x.problem.kind, c.errorType), message: x.problem.message}
		}
		status := strconv.Itoa(c.status)
		return cmp.Or(p.kind, status), strings.TrimSpace(status + " " + cmp.Or(x.problemText(p), http.StatusText(c.status)))
	case x.problem != nil:
		return cmp.Or(x.problem.kind, "provider_error"), cmp.Or(x.problemText(*x.problem), "the provider reported an error")
	case err != nil && !c.late(err):
		return errortype.Of(err), errorText(err)
	case err == nil && how == endEOF:
		return c.incomplete()
	case err == nil && c.text && c.events == 0 && (c.reason != "" || c.strayText() != "") && !c.encoded():
		return c.unreadable()
	}
	return "", ""
}

// problemText returns what the provider says. Its message may quote what it was
// sent.
func (x *exchange) problemText(p problem) string {
	if x.blind {
		return p.kind
	}
	return p.text()
}

// errorText returns the message of an error without the URL of the request,
// which may hold a key.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", err)
		}
	}()
	return inner(err).Error()
}

func inner(err error) error {
	for {
		var withURL *url.Error
		if !errors.As(err, &withURL) || withURL.Err == nil {
			return err
		}
		err = withURL.Err
	}
}
