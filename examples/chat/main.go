// Command chat is an HTTP server whose conversations are sessions: the first
// request of a conversation starts one, later ones continue it, each turn is an
// event with children, and feedback can come after the end.
//
//	go run ./examples/chat            # serves on 127.0.0.1:8080
//	go run ./examples/chat -demo      # talks to itself and prints the session
//
//	curl -d '{"message": "hello"}' http://127.0.0.1:8080/chat
//	curl -d '{"conversation": "…", "message": "what is a session?"}' http://127.0.0.1:8080/chat
//	curl -d '{"conversation": "…"}' http://127.0.0.1:8080/end
//	curl -d '{"conversation": "…", "rating": 5}' http://127.0.0.1:8080/feedback
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("addr", "127.0.0.1:8080", "`address` to serve on")
	demo := flags.Bool("demo", false, "hold a conversation, print the session and end")
	if err := flags.Parse(args); err != nil {
		return err
	}

	var seen sessions // for -demo, beside what the environment asks for
	tracer, err := sessionspan.New(
		sessionspan.WithProject(envOr("HH_PROJECT", "sessionspan examples")),
		sessionspan.WithSource(envOr("HH_SOURCE", "playground")),
		sessionspan.WithWriter(&seen))
	if err != nil {
		return err
	}
	logger := slog.New(sessionspan.LogHandler(slog.NewTextHandler(stderr, nil)))
	s := newServer(tracer, logger)

	if *demo {
		*address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *address)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler(tracer, s), ReadHeaderTimeout: 5 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- srv.Serve(listener) }()
	if *demo {
		err = talk(ctx, "http://"+listener.Addr().String())
	} else {
		fmt.Fprintf(stdout, "serving on http://%s (Ctrl-C ends)\n", listener.Addr())
		select {
		case <-ctx.Done():
		case err = <-serving:
		}
	}

	// First the requests, then the sessions that are still open, then delivery.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(bounded))
	s.endAll()
	err = errors.Join(err, tracer.Shutdown(bounded))
	if *demo && err == nil {
		err = seen.print(stdout)
	}
	return err
}

// handler is the server as others see it: traced by otelhttp on the tracer's
// provider, so that a session stays in the trace of its request, and able to
// continue sessions of other services.
func handler(tracer *sessionspan.Tracer, s *server) http.Handler {
	return otelhttp.NewHandler(sessionspan.Handler(s.routes()), "chat",
		otelhttp.WithTracerProvider(tracer.TracerProvider()),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(
			propagation.TraceContext{}, propagation.Baggage{}, sessionspan.Propagator())))
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
