package secret

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values are credentials that are known.
type Values []string

// Least is the length in bytes from which a credential is worth hiding: shorter
// ones stand in every text.
const Least = 5

// Add adds a credential, once. One that is too short, or that programs send in
// place of none, is not added.
func (v *Values) Add(value string) {
	if len(value) >= Least && !placeholder(value) && !slices.Contains(*v, value) {
		*v = append(*v, value)
	}
}

// Header adds the credentials of headers, as [Credential] knows them.
func (v *Values) Header(h http.Header) {
	for name, values := range h {
		for _, value := range values {
			if Credential(name, value) {
				v.Field(value)
			}
		}
	}
}

// schemes start the values of headers. See RFC 9110, section 11.1.
var schemes = []string{"basic", "bearer", "token", "apikey", "api-key", "digest", "negotiate", "key", "aws4-hmac-sha256", "sso-key"}

// Credential reports whether a header holds a credential: its name says so, or its
// value, which is one long word after the scheme Bearer or Basic.
func Credential(name, value string) bool { return Named(name) || schemed(value) }

func schemed(value string) bool {
	value = strings.TrimSpace(value)
	for _, scheme := range [...]string{"bearer", "basic"} {
		if n := len(scheme); len(value) > n && (value[n] == ' ' || value[n] == '\t') && strings.EqualFold(value[:n], scheme) {
			return longWord(strings.TrimSpace(value[n:]))
		}
	}
	return false
}

// longWord reports whether a text is a word, and longer than those of a language.
func longWord(text string) bool {
	const least = 16
	return len(text) >= least && !strings.ContainsFunc(text, unicode.IsSpace)
}

// InText returns the credentials that a text of a request is or assigns to names of
// credentials, as settings and headers do that are written as texts: "Bearer …",
// "API_KEY=…", "--token=…", "Authorization: Bearer …", "User=u;Pwd=…".
func InText(text string) (list []string) {
	if schemed(text) {
		return []string{text}
	}
	for part := range strings.SplitSeq(text, ";") {
		at := strings.IndexAny(part, "=:")
		if at < 0 {
			continue
		}
		name, value := strings.TrimSpace(part[:at]), strings.Trim(part[at+1:], " \t\"'")
		if Named(name) && !strings.ContainsFunc(name, unicode.IsSpace) && (longWord(value) || schemed(value)) {
			list = append(list, value)
		}
	}
	return list
}

// cutScheme cuts the first word off the value of a header.
func cutScheme(value string) (scheme, rest string) {
	value = strings.TrimSpace(value)
	if end := strings.IndexAny(value, " \t"); end >= 0 {
		return value[:end], strings.TrimSpace(value[end:])
	}
	return value, ""
}

// Field adds the value of a header that holds credentials: all of it, what
// follows a scheme, what a list of parameters or cookies holds, and what Basic, or
// a text in base64, encodes.
func (v *Values) Field(value string) {
	value = strings.TrimSpace(value)
	scheme, rest := cutScheme(value)
	if rest != "" && slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) }) {
		value = rest
	}
	v.Add(value)
	v.encoded(value, strings.EqualFold(scheme, "basic"))
	// The names in AWS's list of signed headers are no secret, and stand in answers.
	if before, list, ok := strings.Cut(value, "SignedHeaders="); ok {
		_, after, _ := strings.Cut(list, ",")
		value = before + after
	}
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' }) {
		name, param, ok := strings.Cut(part, "=")
		if param = strings.Trim(param, `"`); !ok || strings.Trim(param, "=") == "" {
			v.Add(part)
		} else if !described(name) {
			v.Add(param)
		}
	}
}

// described reports whether a parameter of an authorization says how it was made.
func described(name string) bool {
	switch strings.ToLower(name) {
	case "signedheaders", "headers", "realm", "algorithm", "path", "domain", "expires", "max-age", "samesite", "keyid", "created", "uri", "qop", "nc":
		return true
	}
	return false
}

// encoded adds what base64 encodes, in either alphabet and with or without padding:
// a user and a password as of RFC 7617, or a text as a whole.
func (v *Values) encoded(value string, basic bool) {
	value = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(value, "="))
	decoded, err := base64.RawStdEncoding.DecodeString(value)
	text := string(decoded)
	switch {
	case err != nil:
	case basic:
		user, password, _ := strings.Cut(text, ":")
		v.user(user, password)
	case !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == utf8.RuneError }):
		v.Add(text)
	}
}

// user adds a password, and the name before it, which is the credential itself
// for many servers.
func (v *Values) user(name, password string) {
	if name != "" && password != "" {
		v.Add(name + ":" + password)
	}
	v.Add(password)
	v.Add(name)
}

// URL adds the credentials of a URL: its user and password, and the parameters
// of its query whose names say so.
func (v *Values) URL(u *url.URL) {
	if u == nil {
		return
	}
	if u.User != nil {
		password, _ := u.User.Password()
		v.user(u.User.Username(), password)
	}
	v.query(u.RawQuery)
}

// query adds parameters as they stand and decoded. A query that is malformed in
// one place is read in the others.
func (v *Values) query(query string) {
	for query != "" {
		var pair string
		end := strings.IndexAny(query, "&;")
		if end < 0 {
			end = len(query)
		}
		pair, query = query[:end], query[min(end+1, len(query)):]
		name, raw, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if !namedParam(name) {
			continue
		}
		v.Add(raw)
		if plain, err := url.QueryUnescape(raw); err == nil {
			v.Add(plain)
		}
	}
}

// namedParam is Named for parameters of a query, one of which is OAuth's and Azure
// Functions' code.
func namedParam(name string) bool { return Named(name) || strings.EqualFold(name, "code") }

// CleanURL returns a text that is a URL without its credentials, which mark
// takes the place of. Any other text is returned as it is.
func CleanURL(text, mark string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(scheme, " /?#@") {
		return text
	}
	address := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		address = rest[:end]
	}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		rest = mark + rest[at:]
	}
	start := strings.IndexAny(rest, "?#")
	if start < 0 {
		return scheme + "://" + rest
	}
	b := []byte(scheme + "://" + rest[:start])
	for query := rest[start:]; query != ""; {
		b = append(b, query[0])
		query = query[1:]
		end := strings.IndexAny(query, "&;?#")
		if end < 0 {
			end = len(query)
		}
		name, value, ok := strings.Cut(query[:end], "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if b = append(b, name...); ok {
			b = append(b, '=')
			if value != "" && namedParam(plain) {
				value = mark
			}
			b = append(b, value...)
		}
		query = query[end:]
	}
	return string(b)
}
