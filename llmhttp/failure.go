package llmhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// This file says what went wrong, without the keys that the request held.

// failure returns what went wrong: a word for error.type, and a text.
func (c *call) failure(err error, how string) (kind, text string) {
	kind, text = c.problem(err, how)
	return kind, c.withoutKeys(text)
}

func (c *call) problem(err error, how string) (kind, text string) {
	x := &c.x
	switch {
	case c.status >= http.StatusBadRequest:
		p := problem{kind: c.errorType}
		if x.problem != nil {
			p = problem{cmp.Or(x.problem.kind, c.errorType), x.problem.message}
		}
		status := strconv.Itoa(c.status)
		return cmp.Or(p.kind, status), strings.TrimSpace(status + " " + cmp.Or(x.problemText(p), http.StatusText(c.status)))
	case x.problem != nil:
		return cmp.Or(x.problem.kind, "provider_error"), cmp.Or(x.problemText(*x.problem), "the provider reported an error")
	case err != nil && !c.late(err):
		return errorKind(err), errorText(err)
	case err == nil && how == endEOF:
		return c.incomplete()
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

// credentials are the headers and the parameters of a query that hold keys.
var (
	credentials      = [...]string{"Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token", "Proxy-Authorization", "Cookie"}
	queryCredentials = [...]string{"key", "api_key", "api-key", "access_token", "token"}
)

// shortestKey is how long a key is at least, so that no plain word is taken for
// one.
const shortestKey = 8

// withoutKeys returns a text without the keys of the request: servers quote them
// in errors, and clients the URL.
func (c *call) withoutKeys(text string) string {
	if text == "" || c.request == nil {
		return text
	}
	remove := func(key string) {
		if len(key) >= shortestKey {
			text = strings.ReplaceAll(text, key, "[key]")
		}
	}
	for _, name := range credentials {
		for _, v := range c.request.Header[name] {
			remove(v)
			_, token, _ := strings.Cut(v, " ")
			remove(token)
		}
	}
	if c.request.URL.RawQuery != "" {
		query := c.request.URL.Query()
		for _, name := range queryCredentials {
			for _, v := range query[name] {
				remove(v)
				remove(url.QueryEscape(v))
			}
		}
	}
	if password, ok := c.request.URL.User.Password(); ok {
		remove(password)
	}
	return text
}

func errorKind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected_eof"
	}
	return fmt.Sprintf("%T", inner(err))
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
