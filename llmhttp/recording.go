package llmhttp

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// A fixture is a file of a recorded call.
type fixture struct {
	Request  shownRequest `json:"request"`
	Response struct {
		Status int               `json:"status"`
		Header map[string]string `json:"header,omitempty"`
		Chunks []chunk           `json:"chunks"`
		// End is empty where the body was read to its end, else why not.
		End string `json:"end,omitempty"`
	} `json:"response"`

	asked *request
	n     int    // how many calls with the same request came before
	file  string // its name in the folder
}

// A shownRequest is a request as it stands in a file: what counts of it.
type shownRequest struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body,omitempty"` // JSON, or a text that is none
}

// How a body ended that its client did not read to its end.
const (
	leftByClose   = "closed by the client"
	leftByContext = "context canceled"
)

// A chunk is a piece of a body, as it came.
type chunk struct {
	// Wait is the time since the piece before, or since the call, in milliseconds.
	Wait float64 `json:"ms"`
	Text string  `json:"text,omitempty"`
	// Base64 stands in place of the text where the piece is no UTF-8.
	Base64 string `json:"base64,omitempty"`

	data []byte
}

// recordedBody keeps a body while it is read, and writes the file at its end.
type recordedBody struct {
	io.ReadCloser
	r    *recorder
	keys *secret.Matcher
	stop func() bool

	mu    sync.Mutex
	f     *fixture
	last  time.Time // when the last piece came
	whole bool      // the last Read filled its buffer: the next continues the piece
	size  int
	done  bool
}

// watch ends the recording with the context: some clients neither read to the end
// nor close.
func (b *recordedBody) watch(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = b.finish(leftByContext) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = stop
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.take(p[:n], n == len(p))
	if err == nil {
		return n, nil
	}
	end := ""
	if !errors.Is(err, io.EOF) {
		end = b.keys.HideCut(err.Error(), keyMark)
	}
	if saving := b.finish(end); saving != nil && end == "" {
		err = saving // a recording that is not there would be missed later
	}
	return n, err
}

func (b *recordedBody) take(p []byte, filled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 || b.done {
		return
	}
	chunks := &b.f.Response.Chunks
	if b.size += len(p); b.whole && len(*chunks) > 0 {
		last := &(*chunks)[len(*chunks)-1]
		last.data = append(last.data, p...)
	} else {
		now := b.r.now()
		*chunks = append(*chunks, chunk{Wait: float64(now.Sub(b.last).Microseconds()) / 1000, data: slices.Clone(p)})
		b.last = now
	}
	b.whole = filled
}

func (b *recordedBody) Close() error {
	err := b.ReadCloser.Close()
	return errors.Join(err, b.finish(leftByClose))
}

// finish writes the file, once.
func (b *recordedBody) finish(end string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return nil
	}
	b.done = true
	if b.stop != nil {
		b.stop()
	}
	if b.size > mostRecorded {
		return fmt.Errorf("llmhttp: record: the answer is longer than %d bytes", mostRecorded)
	}
	b.f.Response.End = end
	b.f.hide(b.keys)
	b.f.encode()
	return b.r.save(b.f)
}

// hide takes credentials out of an answer: out of each piece, and where one runs over
// several pieces, out of all of them as one.
func (f *fixture) hide(keys *secret.Matcher) {
	var all []byte
	for i := range f.Response.Chunks {
		c := &f.Response.Chunks[i]
		if clean := keys.Hide(string(c.data), keyMark); clean != string(c.data) {
			c.data = []byte(clean)
		}
		all = append(all, c.data...)
	}
	if clean := keys.Hide(string(all), keyMark); clean != string(all) {
		f.Response.Chunks = []chunk{{Wait: f.Response.Chunks[0].Wait, data: []byte(clean)}}
	}
}

// encode makes texts of the pieces. A character that runs over two of them is put
// into the second.
func (f *fixture) encode() {
	chunks := f.Response.Chunks
	for i := range chunks {
		c := &chunks[i]
		if cut := len(c.data) - tail(c.data); cut < len(c.data) && i+1 < len(chunks) && utf8.Valid(c.data[:cut]) {
			chunks[i+1].data = append(slices.Clone(c.data[cut:]), chunks[i+1].data...)
			c.data = c.data[:cut]
		}
		if utf8.Valid(c.data) {
			c.Text = string(c.data)
		} else {
			c.Base64 = base64.StdEncoding.EncodeToString(c.data)
		}
	}
}

// tail returns how many bytes at the end begin a character that goes on.
func tail(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// decode makes bytes of the texts.
func (f *fixture) decode() error {
	for i := range f.Response.Chunks {
		c := &f.Response.Chunks[i]
		c.data = []byte(c.Text)
		if c.Base64 != "" {
			data, err := base64.StdEncoding.DecodeString(c.Base64)
			if err != nil {
				return fmt.Errorf("chunk %d: %w", i+1, err)
			}
			c.data = data
		}
	}
	if f.Response.Status < 100 || f.Response.Status > 999 {
		return fmt.Errorf("the status is %d", f.Response.Status)
	}
	return nil
}

// save writes a file, in place of those of earlier processes.
func (r *recorder) save(f *fixture) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := os.MkdirAll(r.dir, 0o755) //nolint:gosec // as other folders of a source tree
	if err == nil && !r.fresh[f.asked.hash] {
		r.fresh[f.asked.hash] = true
		for _, old := range r.known[f.asked.hash] {
			if gone := os.Remove(filepath.Join(r.dir, old.file)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = gone
			}
		}
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err == nil {
		err = enc.Encode(f)
	}
	if err == nil {
		err = replaceFile(r.dir, fmt.Sprintf("%s-%s-%d.json", f.asked.slug, f.asked.hash[:12], f.n+1), out.String())
	}
	if err != nil {
		return fmt.Errorf("llmhttp: record: %w", err)
	}
	return nil
}

// replaceFile writes a file that others see as a whole.
func replaceFile(dir, name, text string) error {
	tmp, err := os.CreateTemp(dir, ".recording-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644) //nolint:gosec // as other files of a source tree
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// load reads the folder, once.
func (r *recorder) load() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded {
		return r.failed
	}
	r.loaded, r.known = true, make(map[string][]*fixture)
	files, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.failed = fmt.Errorf("llmhttp: read the recordings: %w", err)
		return r.failed
	}
	for _, entry := range files {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		f, err := r.read(entry.Name())
		if err != nil {
			r.failed = fmt.Errorf("llmhttp: read the recordings: %s: %w", filepath.Join(r.dir, entry.Name()), err)
			return r.failed
		}
		r.known[f.asked.hash] = append(r.known[f.asked.hash], f)
	}
	for _, list := range r.known {
		slices.SortStableFunc(list, func(a, b *fixture) int { return a.n - b.n })
	}
	return nil
}

func (r *recorder) read(name string) (*fixture, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, name)) //nolint:gosec // a file of the folder that the caller named
	if err != nil {
		return nil, err
	}
	f := &fixture{file: name}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, err
	}
	if err := f.decode(); err != nil {
		return nil, err
	}
	if f.asked, err = f.Request.asked(); err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(name, ".json")
	_, _ = fmt.Sscanf(stem[strings.LastIndexByte(stem, '-')+1:], "%d", &f.n) // else 0, and the order of names
	return f, nil
}

// gunzip takes gzip off a body as it is read.
type gunzip struct {
	io.ReadCloser
	z *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.ReadCloser); err != nil {
			return 0, err
		}
	}
	return g.z.Read(p)
}

// replay answers a request from what was recorded.
func (r *recorder) replay(req *http.Request, asked *request, n int) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, context.Cause(req.Context())
	}
	r.mu.Lock()
	list := r.known[asked.hash]
	r.mu.Unlock()
	if len(list) == 0 {
		return nil, r.notRecorded(asked)
	}
	f := list[n%len(list)]
	resp := &http.Response{
		StatusCode: f.Response.Status, Status: fmt.Sprintf("%d %s", f.Response.Status, http.StatusText(f.Response.Status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), ContentLength: -1, Request: req,
		Body: &replayedBody{ctx: req.Context(), f: f, timed: r.timed, closed: make(chan struct{})},
	}
	for name, value := range f.Response.Header {
		resp.Header.Set(name, value)
	}
	return resp, nil
}

// replayedBody gives the pieces of a body.
type replayedBody struct {
	ctx   context.Context //nolint:containedctx // of the request, as that of any body
	f     *fixture
	timed bool

	next   int // piece
	at     int // in it
	closed chan struct{}
	once   sync.Once
}

// Read is for one goroutine at a time, as that of any body; Close may come meanwhile.
func (b *replayedBody) Read(p []byte) (int, error) {
	for {
		if err := b.over(); err != nil {
			return 0, err
		}
		if b.next == len(b.f.Response.Chunks) {
			return 0, b.end()
		}
		c := &b.f.Response.Chunks[b.next]
		if len(p) == 0 {
			return 0, nil
		}
		if b.at == 0 && b.timed {
			if err := b.wait(time.Duration(c.Wait * float64(time.Millisecond))); err != nil {
				return 0, err
			}
		}
		n := copy(p, c.data[b.at:])
		if b.at += n; b.at == len(c.data) {
			b.next, b.at = b.next+1, 0
		}
		if n > 0 {
			return n, nil
		}
	}
}

// wait waits until the next piece is due.
func (b *replayedBody) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	case <-b.closed:
	}
	return b.over()
}

// over returns why there is nothing more to read.
func (b *replayedBody) over() error {
	select {
	case <-b.closed:
		return http.ErrBodyReadAfterClose
	default:
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	return nil
}

// lingers is how long a body that its client had left stays open where the client
// reads on.
const lingers = 10 * time.Second

// end returns how the body ended. One that its client left was open then.
func (b *replayedBody) end() error {
	switch b.f.Response.End {
	case "":
		return io.EOF
	case leftByClose, leftByContext:
		if err := b.wait(lingers); err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

// Close may be called at any time.
func (b *replayedBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}
