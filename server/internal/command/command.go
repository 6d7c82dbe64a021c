// Package command is the command of the server, which two packages build: server
// for a clone (go run ./server), and server/cmd/sessionspan for those who install
// it.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/redact"
	"github.com/sessionspan/sessionspan/server/local"
)

// Main runs the command with the arguments of the process until it is done or gets
// a signal, and returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sessionspan:", err)
		return 1
	}
	return 0
}

const usage = `usage: sessionspan [flags]
       sessionspan list|show|tail [flags]
       sessionspan export [flags] [file]
       sessionspan import [-data file] [-redact] [file]
       sessionspan backup [flags] file
       sessionspan token create|list|revoke [flags]
       sessionspan mcp [flags]
       sessionspan erase [-data file] -user user | -session id

sessionspan takes sessions of LLM and RAG pipelines and shows them in a browser.
Clients need nothing but its address:

  HH_API_URL=http://127.0.0.1:4318                    sessionspan, and HoneyHive's own clients
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318   any OpenTelemetry SDK, by OTLP/HTTP or gRPC

list, show and tail print sessions of a server that runs; export writes them as JSON
lines, CSV or cases for evaluations, and backup a copy of the file of the sessions, of a
server that runs or of the file. mcp answers agents, by their standard input and output,
in place of /mcp of a server that runs. import reads JSON lines, while no server runs; with
-redact it masks personal data and credentials, as -redact of the server does in what
clients send: what a file holds already is redacted by an export and an import into another
file. Each has -help.

token keeps the tokens of a server that several people use: each may read, write or
administer, in all projects or in one. It works while the server runs, which then asks
for a token.

erase deletes all sessions of a user, or one session, so that no byte of them is left in
the file, and what arrives for them later is not taken. It works while the server does not
run; of one that runs, its page /erase, or POST /api/erase, does the same.

Flags:

`

// run is the command without the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "export":
			return exportTo(ctx, args[1:], stdout, stderr)
		case "import":
			return load(ctx, args[1:], stdin, stderr)
		case "list":
			return list(ctx, args[1:], stdout, stderr)
		case "show":
			return show(ctx, args[1:], stdout, stderr)
		case "tail":
			return tail(ctx, args[1:], stdout, stderr)
		case "backup":
			return backup(ctx, args[1:], stderr)
		case "token":
			return token(args[1:], stdout, stderr)
		case "mcp":
			return bridge(ctx, args[1:], stdin, stdout, stderr)
		case "erase":
			return erase(ctx, args[1:], stderr)
		}
	}
	return serve(ctx, args, stderr)
}

func serve(ctx context.Context, args []string, stderr io.Writer) error {
	options, quiet, err := parse(args, stderr)
	if err != nil {
		return err
	}
	server, err := local.Start(ctx, options...)
	if err != nil {
		return err
	}
	if !quiet {
		_, _ = fmt.Fprintf(stderr, "sessionspan: open %s (sessions are in %s)\nSet HH_API_URL=%[1]s or OTEL_EXPORTER_OTLP_ENDPOINT=%[1]s where your program runs. Ctrl-C ends the server.\n", server.URL(), server.File())
		if server.GRPC() != "" {
			_, _ = fmt.Fprintf(stderr, "OTLP over gRPC is taken at %s, too.\n", server.GRPC())
		}
	}
	<-ctx.Done()
	return server.Close()
}

// redaction adds the flags that say what is redacted, where that is done. The function that
// it returns makes the policy of what the flags say, or nil.
func redaction(flags *flag.FlagSet, where string) func() (*redact.Policy, error) {
	var options []redact.Option
	redacts := flags.Bool("redact", false, "mask personal data and credentials "+where+", before it is written; see package redact for what is found")
	flags.Func("redact-key", "`name`, or end of a path, of what is masked besides, such as ssn or user.name; may be given several times, and is -redact too", func(s string) error {
		*redacts = true
		options = append(options, redact.WithKey(s, redact.Mask))
		return nil
	})
	return func() (*redact.Policy, error) {
		if !*redacts {
			return nil, nil //nolint:nilnil // no policy redacts nothing
		}
		return redact.New(options...)
	}
}

func parse(args []string, stderr io.Writer) (options []local.Option, quiet bool, err error) {
	flags := newFlags("sessionspan", usage, stderr)
	address := flags.String("listen", local.DefaultAddress, "`address` to listen on; one that other machines can reach needs a token")
	var grpc *string // nil is the default
	flags.Func("grpc", "`address` of a port for OTLP over gRPC alone, or off; that of -listen takes it, too (default: port 4317 of the same host)", func(s string) error {
		if s == "off" {
			s = ""
		}
		grpc = &s
		return nil
	})
	data := flags.String("data", "", dataUsage)
	token := flags.String("token", os.Getenv("SESSIONSPAN_TOKEN"), "`token` that every request must carry (default $SESSIONSPAN_TOKEN)")
	flags.Lookup("token").DefValue = "" // help must not print it
	var hosts []string
	flags.Func("allow-host", "`name` by which requests may ask for the server besides localhost; may be given several times", func(s string) error {
		hosts = append(hosts, s)
		return nil
	})
	var age time.Duration
	flags.Func("max-age", "`age` at which sessions are deleted, such as 30d or 12h (default: never)", func(s string) (err error) {
		age, err = parseAge(s)
		return err
	})
	var size int64
	flags.Func("max-size", "`size` on disk, of the file with its -wal, at which the oldest sessions are deleted, such as 2GiB (default: never)", func(s string) (err error) {
		size, err = parseSize(s)
		return err
	})
	table := prices.Default()
	flags.Func("prices", "`file` of prices, in the form that package prices describes, or off (default: the list prices of "+table.Date()+" that come along); read when the server starts, for old sessions, too", func(s string) (err error) {
		if table = nil; s != "off" {
			table, err = prices.Read(s)
		}
		return err
	})
	policy := redaction(flags, "in what clients send")
	flags.BoolVar(&quiet, "quiet", false, "print errors alone")
	if err := flags.Parse(args); err != nil {
		return nil, false, err
	}
	if flags.NArg() > 0 {
		return nil, false, fmt.Errorf("there is no command %q: see -help", flags.Arg(0))
	}
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelError
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	options = []local.Option{
		local.WithAddress(*address), local.WithFile(*data), local.WithToken(*token), local.WithHosts(hosts...),
		local.WithRetention(age, size), local.WithPrices(table), local.WithLog(log),
	}
	redacts, err := policy()
	if err != nil {
		return nil, false, err
	}
	options = append(options, local.WithRedaction(redacts))
	if grpc != nil {
		options = append(options, local.WithGRPCAddress(*grpc))
	}
	return options, quiet, nil
}

const dataUsage = "`file` of the sessions (default: in the data folder of the user)"

func newFlags(name, usage string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	return flags
}

// parseAge reads a duration, which may be in days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n < 100_000) {
			return 0, errors.New("is no number of days")
		}
		return time.Duration(n * 24 * float64(time.Hour)), nil
	}
	return time.ParseDuration(s)
}

var units = []struct {
	name  string
	bytes float64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1}}

// parseSize reads a number of bytes, with or without a unit.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n*u.bytes < 1<<62) {
			break
		}
		return int64(n * u.bytes), nil
	}
	return 0, errors.New("is no size such as 500MiB")
}
