package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/traces"
)

// signal is a kind of request of OTLP.
type signal struct {
	suffix   string // of the path by HTTP
	service  string // of gRPC
	rejected string // the field of a partial success that counts
	take     func(a *API, ctx context.Context, of *request) (outcome, error)
}

// request is the body of a request of OTLP.
type request struct {
	http   *http.Request
	isJSON bool
	bytes  []byte
}

// outcome is what became of a request: how much was rejected, and a message about
// that, or a warning.
type outcome struct {
	rejected int
	message  string
}

var signals = []*signal{
	{"/v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService", "rejectedSpans", (*API).takeTraces},
	{"/v1/logs", "opentelemetry.proto.collector.logs.v1.LogsService", "rejectedLogRecords", (*API).takeLogs},
	{"/v1/metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService", "rejectedDataPoints", nil},
}

// signalOf returns the signal of a request by HTTP, nil for other requests: clients of
// vendors send to the path of their vendor, which ends as that of OTLP does.
func signalOf(r *http.Request) *signal {
	path := strings.TrimRight(r.URL.Path, "/")
	for _, s := range signals {
		if strings.HasSuffix(path, s.suffix) {
			return s
		}
	}
	return nil
}

// IsOTLP reports whether a request is one of OTLP: by HTTP on any path that ends as OTLP
// has it, or by gRPC.
func IsOTLP(r *http.Request) bool {
	return isGRPC(r) || r.Method == http.MethodPost && signalOf(r) != nil
}

// OTLP returns the handler of the requests of which [IsOTLP] is true.
func (a *API) OTLP() http.Handler {
	plain, grpc := a.serve(a.otlp), a.serve(a.grpc)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isGRPC(r) {
			grpc.ServeHTTP(w, r)
		} else {
			plain.ServeHTTP(w, r)
		}
	})
}

// otlp takes a request by HTTP.
func (a *API) otlp(w http.ResponseWriter, r *http.Request) error {
	mediaType := contentType(r)
	switch mediaType {
	case jsonType, protoType, protoType2:
	default:
		return unsupported(r, protoType+" or "+jsonType)
	}
	of := signalOf(r)
	out, err := a.takeBody(of, r, mediaType == jsonType)
	if err != nil {
		return err
	}
	if mediaType == jsonType {
		write(w, http.StatusOK, jsonType, traces.JSONResponse(of.rejected, out.rejected, out.message))
	} else {
		write(w, http.StatusOK, protoType, traces.ProtoResponse(out.rejected, out.message))
	}
	return nil
}

// takeBody takes a request whose body is that of r.
func (a *API) takeBody(of *signal, r *http.Request, isJSON bool) (outcome, error) {
	if of.take == nil {
		a.Unused.AddMetrics()
		return outcome{}, a.pass(r)
	}
	b, err := a.Bodies.Read(r)
	if err != nil {
		return outcome{}, err
	}
	defer b.Release()
	return of.take(a, r.Context(), &request{r, isJSON, b.Bytes})
}

// pass reads the body of a request that nothing is made of, so that its client can go
// on with its connection.
func (a *API) pass(r *http.Request) error {
	most := a.Bodies.Most(r)
	if r.ContentLength > most {
		return body.TooLarge(most)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r.Body, most)); err != nil && n < most {
		return reject.Errorf(http.StatusRequestTimeout, "the body did not come to its end: %v", err)
	}
	return nil
}

// takeTraces takes an ExportTraceServiceRequest.
func (a *API) takeTraces(ctx context.Context, of *request) (outcome, error) {
	read := traces.Proto
	if of.isJSON {
		read = traces.JSON
	}
	req := read(of.bytes)
	result, err := a.spans(ctx).Spans(ctx, req.Spans)
	if err != nil {
		return outcome{}, whyNot(ctx, err)
	}
	return a.outcome(of, "spans", &req.Faults, result.Rejected, result.Problem), nil
}

// takeLogs takes an ExportLogsServiceRequest.
func (a *API) takeLogs(ctx context.Context, of *request) (outcome, error) {
	read := traces.ProtoLogs
	if of.isJSON {
		read = traces.JSONLogs
	}
	req := read(of.bytes)
	result, err := a.spans(ctx).Logs(ctx, req.Records)
	if err != nil {
		return outcome{}, whyNot(ctx, err)
	}
	a.Unused.AddLogs(result.Others)
	return a.outcome(of, "log records", &req.Faults, result.Rejected, result.Problem), nil
}

// whyNot returns what an error of a walk, or of the store, is answered with.
func whyNot(ctx context.Context, err error) error {
	switch {
	case is[*traces.TooLargeError](err), errors.Is(err, ingest.ErrTooMany), errors.Is(err, ingest.ErrTooManyLogs):
		return reject.Errorf(http.StatusRequestEntityTooLarge, "%v", err)
	case is[*traces.FormatError](err):
		return reject.Errorf(http.StatusBadRequest, "%v", err)
	}
	return unavailable(ctx, err)
}

// outcome returns what a request that was taken is answered with.
func (a *API) outcome(of *request, what string, faults *traces.Faults, refused int, problem string) outcome {
	out := outcome{faults.Invalid + refused, cmp.Or(faults.Problem, problem)}
	switch {
	case out.rejected > 0:
		a.Rejected.Add(of.http, reject.Errorf(http.StatusOK, "%d %s were not taken: %s", out.rejected, what, out.message)) // the others were
	case faults.Mended > 0:
		out.message = fmt.Sprintf("values that are not as OTLP has them were taken as they are (%d): %s", faults.Mended, faults.Mend)
	}
	out.message = reject.Bounded(out.message)
	return out
}
