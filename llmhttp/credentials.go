package llmhttp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/secret"
)

// This file keeps credentials out of what is recorded. Those of a request are
// known by the names of its headers, of the parameters of its URL, and of the
// members of its body, and by the schemes Bearer and Basic in a value. Of the body
// they are left out; and every text of an answer or of an error that is not content
// goes through hide, since servers, gateways and clients quote what they were sent.

// keyMark takes the place of a credential.
const keyMark = "[key]"

// A keyring finds the credentials of requests. Most requests of a client have the
// same ones, so the last keyring is kept, with what it was made from.
type keyring struct {
	raw     []string
	matcher *secret.Matcher
}

// secrets returns what finds the credentials of the request, also of one that
// another transport changed on its way.
func (c *call) secrets() *secret.Matcher {
	if c.matcher != nil || c.request == nil {
		return c.matcher
	}
	raw := c.space.raw[:0]
	for _, r := range [...]*http.Request{c.request, c.answered} {
		if r == nil {
			continue
		}
		start := len(raw)
		for name, values := range r.Header {
			for _, value := range values {
				if secret.Credential(name, value) {
					raw = append(raw, value)
				}
			}
		}
		slices.Sort(raw[start:]) // they are in no order
		if r.URL.User != nil {
			raw = append(raw, r.URL.User.String())
		}
		raw = append(raw, r.URL.RawQuery)
	}
	raw = append(raw, c.x.credentials...)
	c.space.raw = raw
	if last := c.t.keys.Load(); last != nil && slices.Equal(last.raw, raw) {
		c.matcher = last.matcher
		return c.matcher
	}
	var values secret.Values
	for _, r := range [...]*http.Request{c.request, c.answered} {
		if r != nil {
			values.Header(r.Header)
			values.URL(r.URL)
		}
	}
	for _, v := range c.x.credentials {
		values.Add(v)
	}
	c.matcher = secret.NewMatcher(values)
	c.t.keys.Store(&keyring{slices.Clone(raw), c.matcher})
	return c.matcher
}

// hide returns a text without the credentials of the request.
func (c *call) hide(text string) string {
	switch {
	case text == "":
		return ""
	case c.x.manyKeys:
		return keyMark
	}
	return c.secrets().Hide(text, keyMark)
}

// hideError is hide for the text of an error, whose end may be missing.
func (c *call) hideError(text string) string {
	switch {
	case text == "":
		return ""
	case c.x.manyKeys:
		return keyMark
	}
	return c.secrets().HideCut(text, keyMark)
}

// hideAnswer takes credentials out of what the answer says of itself: its id,
// model, and why it ended, and what stands in the metadata.
func (c *call) hideAnswer() {
	x := c.x
	if !x.manyKeys && !c.secrets().In(build(0, c.appendSaid)) { // nearly always
		return
	}
	x.id, x.model = c.hide(x.id), c.hide(x.model)
	for _, choice := range x.choices {
		choice.finish, choice.ended = c.hide(choice.finish), c.hide(choice.ended)
	}
	for i := range x.metadata {
		switch m := &x.metadata[i]; {
		case !m.plain && (isNumber(m.value) || m.value == "true"):
		case !m.plain && x.manyKeys:
			m.value = quote(keyMark)
		default:
			m.value = c.hide(m.value)
		}
	}
	for i, kv := range x.attributes {
		if kv.Value.Type() == attribute.STRING {
			if text := kv.Value.AsString(); text != "" {
				if hidden := c.hide(text); hidden != text {
					x.attributes[i] = kv.Key.String(hidden)
				}
			}
		}
	}
}

// appendSaid appends all that hideAnswer looks at and that is long enough to hold a
// credential.
func (c *call) appendSaid(b []byte) []byte {
	x, least := c.x, c.secrets().Least()
	add := func(text string) {
		if len(text) >= least {
			b = append(append(b, text...), '|')
		}
	}
	add(x.id)
	add(x.model)
	for _, choice := range x.choices {
		add(choice.finish)
	}
	for i := range x.metadata {
		if m := &x.metadata[i]; m.plain || !isNumber(m.value) {
			add(m.value)
		}
	}
	for _, kv := range x.attributes {
		if kv.Value.Type() == attribute.STRING {
			add(kv.Value.AsString())
		}
	}
	return b
}

// isNumber reports whether JSON is a number.
func isNumber(json string) bool { return rawjson.KindOf(json) == rawjson.Number }

// held are members that hold credentials whatever is in them.
func held(name string) bool {
	switch strings.ToLower(name) {
	case "auth", "authentication", "authorization", "credentials", "cookies", "headers", "secrets":
		return true
	}
	return false
}

// withoutSecrets returns a value of a request without its credentials: members
// whose name says that they hold one, pairs of a name and a value, and what URLs
// hold. They are kept to be found in errors.
func (x *exchange) withoutSecrets(json string) string {
	switch rawjson.KindOf(json) {
	case rawjson.String:
		clean := json
		if s := text(json); x.learnText(s) {
			clean = quote(keyMark)
		} else if strings.Contains(s, "://") {
			if without := secret.CleanURL(s, keyMark); without != s {
				x.learnURL(s)
				clean = quote(without)
			}
		}
		return clean
	case rawjson.Array:
		b := []byte{'['}
		for v := range rawjson.Elements(json) {
			b = append(comma(b), x.withoutSecrets(v)...)
		}
		return string(append(b, ']'))
	case rawjson.Object:
		var o object
		pair := pairName(json)
		for k, v := range rawjson.Members(json) {
			switch {
			case pair != "" && (k == "key" || k == "name"):
				o.json(k, v)
			case pair != "" && k == "value" && secret.Named(pair), held(k), secret.Named(k) && holds(v):
				x.learn(v)
			default:
				o.json(k, x.withoutSecrets(v))
			}
		}
		return string(o.bytes())
	default:
		return json
	}
}

// pairName returns the name of an object that is a pair of a name and a value.
func pairName(json string) string {
	if get(json, "value") == "" {
		return ""
	}
	if name := text(get(json, "name")); name != "" {
		return name
	}
	return text(get(json, "key"))
}

// holds reports whether a value can be a credential: an object of such a name
// tells about one, and has it inside.
func holds(json string) bool {
	switch rawjson.KindOf(json) {
	case rawjson.String, rawjson.Number, rawjson.Array:
		return true
	default:
		return false
	}
}

// mostCredentials bounds how many credentials a request may have that are looked
// for. One with more has nothing recorded of what an answer or an error says beside
// content.
const mostCredentials = 1 << 10

// keep keeps a credential that add adds, as long as there are few.
func (x *exchange) keep(value string, add func(*secret.Values, string)) {
	if len(x.credentials) >= mostCredentials {
		x.manyKeys = true
		return
	}
	add((*secret.Values)(&x.credentials), strings.Clone(value))
}

// learn keeps all texts of a value as credentials.
func (x *exchange) learn(json string) {
	switch rawjson.KindOf(json) {
	case rawjson.String:
		x.keep(text(json), (*secret.Values).Field)
	case rawjson.Number:
		x.keep(json, (*secret.Values).Add)
	case rawjson.Array:
		for v := range rawjson.Elements(json) {
			x.learn(v)
		}
	case rawjson.Object:
		for _, v := range rawjson.Members(json) {
			x.learn(v)
		}
	default:
	}
}

// learnText keeps the credentials that stand in a text, and reports whether it has any.
func (x *exchange) learnText(text string) bool {
	list := secret.InText(text)
	for _, v := range list {
		x.keep(v, (*secret.Values).Field)
	}
	return len(list) > 0
}

// learnURL keeps the credentials of a URL.
func (x *exchange) learnURL(text string) {
	if u, err := url.Parse(text); err == nil {
		x.keep("", func(v *secret.Values, _ string) {
			v.URL(u)
			v.URL(&url.URL{RawQuery: u.EscapedFragment()})
		})
	}
}

// learnBody keeps the credentials that stand in a request beside what is said,
// such as keys to the servers of remote tools, also where a format leaves them out.
func (x *exchange) learnBody(body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "messages", "input", "inputs", "contents", "prompt", "system", "instructions", "systemInstruction", "system_instruction",
			"response_format", "text", "texts", "model", "generationConfig", "options",
			"documents", "chat_history", "message", "preamble", "tool_results", "promptVariables", "content", "requests", "instances":
		default:
			x.learnIn(k, v)
		}
	}
}

// learnIn looks for credentials in a member of a request. Functions that the
// program offers itself, and schemas, hold none.
func (x *exchange) learnIn(name, json string) {
	switch name {
	case "function", "functionDeclarations", "function_declarations", "toolSpec", "input_schema", "inputSchema":
		return
	case "parameters": // those of a data source are no schema
		if get(json, "properties") != "" {
			return
		}
	}
	switch kind := rawjson.KindOf(json); {
	case held(name), secret.Named(name) && holds(json):
		x.learn(json)
	case kind == rawjson.Array:
		for v := range rawjson.Elements(json) {
			x.learnIn("", v)
		}
	case kind == rawjson.Object:
		if pair := pairName(json); pair != "" && secret.Named(pair) {
			x.learn(get(json, "value"))
		}
		for k, v := range rawjson.Members(json) {
			x.learnIn(k, v)
		}
	case kind == rawjson.String:
		if s := text(json); x.learnText(s) {
			return
		} else if secret.CleanURL(s, keyMark) != s {
			x.learnURL(s)
		}
	}
}
