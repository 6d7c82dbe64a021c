package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// watch notes what must not happen in a page: errors and warnings of the
// console, exceptions, breaches of the content security policy, dialogs, and
// requests to another host.
type watch struct {
	host string

	mu       sync.Mutex
	problems []string
	requests []string
	dialogs  chan struct{}
}

func (w *watch) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// take returns the problems since the last call.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	problems := w.problems
	w.problems = nil
	return problems
}

// asked returns the addresses that were asked for and contain a text.
func (w *watch) asked(part string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
	for _, r := range w.requests {
		if strings.Contains(r, part) {
			found = append(found, r)
		}
	}
	return found
}

func (w *watch) see(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		w.add("exception: %s (%s:%d)", text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1)
	case *runtime.EventConsoleAPICalled:
		var texts []string
		for _, a := range e.Args {
			texts = append(texts, string(a.Value)+a.Description)
		}
		w.add("console.%s: %s", e.Type, strings.Join(texts, " "))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.add("%s of %s: %s %s", e.Entry.Level, e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			w.add("policy: %s %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		w.add("dialog: %s", e.Message)
		w.dialogs <- struct{}{}
	case *network.EventWebSocketCreated:
		w.add("web socket to %s", e.URL)
	case *network.EventRequestWillBeSent:
		w.request(e.Request.URL)
	}
}

func (w *watch) request(address string) {
	u, err := url.Parse(address)
	w.mu.Lock()
	w.requests = append(w.requests, address)
	w.mu.Unlock()
	if err != nil || u.Host != w.host && u.Scheme != "data" && u.Scheme != "blob" && u.Scheme != "about" {
		w.add("request to another host: %s", address)
	}
}
