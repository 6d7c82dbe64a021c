// Package compressed sends answers gzipped to clients that take them so.
package compressed

import (
	"mime"
	"net/http"
	"slices"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// types are the media types that are compressed. A stream of events is not: it is sent
// piece by piece as it comes. Nor is a file of the store, which goes by the loopback
// interface as a rule.
var types = []string{
	"text/html", "text/plain", "text/css", "text/javascript", "text/csv", "image/svg+xml", "application/json", "application/x-ndjson",
}

// least is the length of the smallest answer that is compressed: a shorter one fits in a
// packet as it is.
const least = 1400

// Wrap returns the handler with answers that are compressed where the client accepts it
// (Accept-Encoding), and says so (Vary). An entity tag of an answer must be a weak one:
// it is the same for both forms.
//
// The length of a compressed answer tells whether a text of the address stands in the
// rest of the answer too. A page of a stranger that opens this server in a browser, with
// guesses in the address, while somebody listens to the network in front of a proxy with
// TLS, would learn from it what sessions hold (BREACH). So no answer to a request that
// another origin began is compressed.
func Wrap(next http.Handler) http.Handler {
	wrapper, err := gzhttp.NewWrapper(gzhttp.MinSize(least), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false),
		gzhttp.ContentTypeFilter(func(contentType string) bool {
			mediaType, _, err := mime.ParseMediaType(contentType)
			return err == nil && slices.Contains(types, mediaType)
		}))
	if err != nil {
		panic(err) // the options are constants
	}
	gzipped := wrapper(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
			w.Header().Add("Vary", "Accept-Encoding")
			next.ServeHTTP(w, r)
			return
		}
		gzipped.ServeHTTP(w, r)
	})
}
