package llmhttp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// A request is one as it is compared: without what differs from call to call and
// without credentials.
type request struct {
	shown       shownRequest
	lines       []string // to be shown in differences
	hash        string
	slug        string   // the beginning of a file's name
	credentials []string // that stood in its body
}

// normalize returns what counts of a request.
func (r *recorder) normalize(req *http.Request, body []byte) *request {
	a := new(request)
	a.shown.Method, a.shown.URL = req.Method, normalURL(req.URL)
	if a.shown.Method == "" {
		a.shown.Method = http.MethodGet
	}
	if len(body) > 0 {
		a.shown.Body = r.normalBody(req, body, a)
	}
	a.finish()
	return a
}

// asked returns the request that stands in a file.
func (s shownRequest) asked() (*request, error) {
	if s.Method == "" || s.URL == "" {
		return nil, errors.New("there is no request")
	}
	a := &request{shown: s}
	if len(s.Body) > 0 {
		var out bytes.Buffer
		if err := json.Compact(&out, s.Body); err != nil {
			return nil, err
		}
		v, err := decodeValue(out.Bytes())
		if err != nil {
			return nil, err
		}
		a.shown.Body = encodeValue(v)
	}
	a.finish()
	return a, nil
}

// finish makes the hash, the lines and the slug.
func (a *request) finish() {
	sum := sha256.Sum256([]byte(a.shown.Method + "\n" + a.shown.URL + "\n" + string(a.shown.Body)))
	a.hash = hex.EncodeToString(sum[:])
	a.lines = []string{a.shown.Method + " " + a.shown.URL}
	var out bytes.Buffer
	if len(a.shown.Body) > 0 && json.Indent(&out, a.shown.Body, "", "  ") == nil {
		// Lines of a text stand in lines of their own.
		a.lines = append(a.lines, strings.Split(strings.ReplaceAll(out.String(), `\n`, "\\n\n"), "\n")...)
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a.shown.URL, "https://"), "http://"), "/")
	path, _, _ = strings.Cut(path, "?")
	var b strings.Builder
	for _, c := range host + "-" + path[strings.LastIndexByte(path, '/')+1:] {
		if c < utf8.RuneSelf && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_') {
			b.WriteRune(c)
		}
	}
	a.slug = strings.Trim(fmt.Sprintf("%.60s", b.String()), ".-")
}

// normalURL returns a URL without its user, its fragment, and what signs it.
func normalURL(u *url.URL) string {
	n := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		n.Scheme, n.Host = "http", "localhost"
	}
	query := u.Query()
	maps.DeleteFunc(query, func(name string, _ []string) bool {
		return secret.Named(name) || strings.EqualFold(name, "code") || strings.HasPrefix(strings.ToLower(name), "x-amz-")
	})
	n.RawQuery = query.Encode() // sorted by name
	return secret.CleanURL(n.String(), keyMark)
}

// normalBody returns a body as JSON.
func (r *recorder) normalBody(req *http.Request, body []byte, a *request) json.RawMessage {
	var x exchange
	if v, err := decodeValue(body); err == nil {
		text := string(encodeValue(v)) // without white space
		x.learnBody(text)
		clean := x.withoutSecrets(text)
		a.credentials = x.credentials
		if w, err := decodeValue([]byte(clean)); err == nil {
			v = w
		} else {
			v = keyMark // what could not be cleaned is not shown
		}
		return encodeValue(r.normalValue(v))
	}
	if kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err == nil && strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		body = bytes.ReplaceAll(body, []byte(params["boundary"]), []byte("boundary"))
	}
	if !utf8.Valid(body) || len(body) > 1<<20 {
		sum := sha256.Sum256(body)
		return encodeValue(fmt.Sprintf("%d bytes, SHA-256 %x", len(body), sum))
	}
	var values secret.Values
	values.Header(req.Header)
	values.URL(req.URL)
	a.credentials = secret.InText(string(body))
	values = append(values, a.credentials...)
	return encodeValue(r.present(secret.NewMatcher(values).Hide(string(body), keyMark)))
}

func decodeValue(data []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the value")
	}
	return v, nil
}

// encodeValue writes a value with its members sorted.
func encodeValue(v any) json.RawMessage {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // it was decoded from JSON
		return json.RawMessage("null")
	}
	return bytes.TrimSpace(out.Bytes())
}

// normalValue leaves out of a value what does not count.
func (r *recorder) normalValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if r.ignored[name] {
				delete(v, name)
			} else {
				v[name] = r.normalValue(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = r.normalValue(v[i])
		}
	case string:
		return r.present(withoutBytes(v))
	case json.Number:
		if t := r.present(v.String()); t != v.String() {
			return t
		}
	}
	return v
}

// withoutBytes returns a long text that is base64, as images are sent, as its size
// and hash.
func withoutBytes(s string) string {
	head, data := "", s
	if i := strings.Index(s, ";base64,"); i > 0 && i < 100 && strings.HasPrefix(s, "data:") {
		head, data = s[:i+len(";base64,")], s[i+len(";base64,"):]
	}
	if len(data) < 1024 || strings.ContainsAny(data, " \n") {
		return s
	}
	if _, err := base64.StdEncoding.DecodeString(data); err != nil {
		return s
	}
	return fmt.Sprintf("%s%d bytes, SHA-256 %x", head, len(data), sha256.Sum256([]byte(data)))
}

// nearly is how far from the clock a date is that the program wrote of the present.
const nearly = 48 * time.Hour

// moments are dates and times as programs write them, each with the layouts that it
// may have.
var moments = []struct {
	found   *regexp.Regexp
	layouts []string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?`), []string{
		"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00",
		"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04 MST",
	}},
	{regexp.MustCompile(`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d (?:[A-Z]{3,4}|[+-]\d{4})`), []string{time.RFC1123, time.RFC1123Z}},
	{regexp.MustCompile(`(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}, \d{4}`), []string{"January 2, 2006"}},
	{regexp.MustCompile(`\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) \d{4}`), []string{"2 January 2006"}},
	{regexp.MustCompile(`\b\d{8}T\d{6}Z\b`), []string{"20060102T150405Z"}},
}

// unixTimes are Unix times in seconds and milliseconds.
var unixTimes = regexp.MustCompile(`\b\d{10}(?:\d{3})?\b`)

// weekdays stand before dates.
var weekdays = regexp.MustCompile(`(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? \[now\]`)

// present replaces dates and times that are near the clock.
func (r *recorder) present(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	now := r.now()
	near := func(t time.Time) bool { return t.Sub(now).Abs() < nearly }
	for i := range moments {
		m := &moments[i]
		s = m.found.ReplaceAllStringFunc(s, func(text string) string {
			for _, layout := range m.layouts {
				if t, err := time.Parse(layout, strings.Replace(text, ",", commaFor(layout), 1)); err == nil && near(t) {
					return "[now]"
				}
			}
			return text
		})
	}
	s = weekdays.ReplaceAllString(s, "[now]")
	return unixTimes.ReplaceAllStringFunc(s, func(text string) string {
		n, err := strconv.ParseInt(text, 10, 64)
		if t := time.Unix(n, 0); err == nil && (len(text) == 10 && near(t) || len(text) == 13 && near(time.UnixMilli(n))) {
			return "[now]"
		}
		return text
	})
}

// commaFor returns what a comma of a text is in a layout: itself, but for that of a
// fraction of a second.
func commaFor(layout string) string {
	if strings.Contains(layout, ",") {
		return ","
	}
	return "."
}

// A NotRecordedError says that [Replay] has no recording of a request.
type NotRecordedError struct {
	Request string // its method and URL, without credentials
	Dir     string // of the recordings
	Nearest string // file of the most similar one; empty where there is none
	// Diff says how the request differs from that one: lines that only the recording
	// has begin with -, lines that only the request has with +.
	Diff string
}

// Error says what is missing, and how the request differs from the nearest one.
func (e *NotRecordedError) Error() string {
	s := fmt.Sprintf("llmhttp: replay: %s is not recorded in %s: the test flag -llmhttp.record calls and records", e.Request, e.Dir)
	if e.Nearest != "" {
		s += fmt.Sprintf("; the nearest is %s:\n%s", e.Nearest, e.Diff)
	}
	return s
}

// notRecorded looks for the most similar recording: the one that shares the most
// lines, and of several the one that begins to differ last.
func (r *recorder) notRecorded(asked *request) error {
	e := &NotRecordedError{Request: asked.lines[0], Dir: r.dir}
	r.mu.Lock()
	defer r.mu.Unlock()
	var best *fixture
	most := -1.0
	for _, hash := range slices.Sorted(maps.Keys(r.known)) {
		f := r.known[hash][0]
		if score := similar(f.asked, asked); score > most {
			best, most = f, score
		}
	}
	if best != nil {
		e.Nearest, e.Diff = best.file, difference(best.asked.lines, asked.lines)
	}
	return e
}

// similar says how much two requests are alike.
func similar(a, b *request) float64 {
	left := make(map[string]int)
	for _, l := range a.lines {
		left[l]++
	}
	shared := 0
	for _, l := range b.lines {
		if left[l] > 0 {
			left[l]--
			shared++
		}
	}
	x, y, same := string(a.shown.Body), string(b.shown.Body), 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	return float64(shared)/float64(len(a.lines)+len(b.lines)) + 1e-6*float64(same)/float64(1+max(len(x), len(y)))
}

// Bounds of a difference: lines that are compared, lines and bytes of a line that are
// shown.
const (
	mostCompared = 2000
	mostShown    = 60
	widest       = 300
)

// difference returns the lines that only one of two texts has, by their longest
// common subsequence.
func difference(a, b []string) string {
	a, b = a[:min(len(a), mostCompared)], b[:min(len(b), mostCompared)]
	common := make([][]int16, len(a)+1) // of what follows
	for i := range common {
		common[i] = make([]int16, len(b)+1)
	}
	for i, l := range slices.Backward(a) {
		for j, m := range slices.Backward(b) {
			if l == m {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	shown := 0
	show := func(sign, line string, others []string) {
		if shown++; shown <= mostShown {
			out.WriteString(sign + " " + around(line, others) + "\n")
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			show("-", a[i], b)
			i++
		default:
			show("+", b[j], a)
			j++
		}
	}
	if shown > mostShown {
		fmt.Fprintf(&out, "and %d lines more\n", shown-mostShown)
	}
	return out.String()
}

// around returns a long line from shortly before it begins to differ from the line
// that is most like it.
func around(line string, others []string) string {
	if len(line) <= widest {
		return line
	}
	from := 0
	for _, o := range others {
		n := 0
		for n < len(line) && n < len(o) && line[n] == o[n] {
			n++
		}
		from = max(from, n)
	}
	from = max(0, from-widest/4)
	s := strings.ToValidUTF8(line[from:min(len(line), from+widest)], "")
	if from > 0 {
		s = "…" + s
	}
	if from+widest < len(line) {
		s += "…"
	}
	return s
}
