// Package harness runs measurements in processes of their own, so that none
// inherits the heap, the pools or the globals of another, against a server in
// one more.
package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan/bench/collect"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/micro"
	"github.com/sessionspan/sessionspan/bench/workload"
)

// roleVariable tells a process of this program what it is.
const roleVariable = "SESSIONSPAN_BENCH_ROLE"

const (
	roleServer = "server"
	roleRun    = "run"
	roleMicro  = "micro"
)

// Main is the main function of a program that measures: it calls work in the
// process that the user started, and does its part in those that work starts.
func Main(work func(context.Context) error) {
	ctx := context.Background()
	var err error
	switch os.Getenv(roleVariable) {
	case roleServer:
		err = server(ctx)
	case roleRun:
		err = answer(func(spec measure.Spec) (measure.Result, error) { return measure.Run(ctx, spec) })
	case roleMicro:
		err = answer(steps)
	default:
		err = work(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server serves until its standard input ends, which it does when the process
// that started it ends in whatever way.
func server(ctx context.Context) error {
	debug.SetGCPercent(400)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return new(collect.Server).Serve(ctx, ln)
}

// answer reads a question from standard input, and writes the answer.
func answer[Q, A any](work func(Q) (A, error)) error {
	var q Q
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return fmt.Errorf("read what to measure: %w", err)
	}
	a, err := work(q)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}

// steps runs the steps whose names start with prefix, in the order of the round.
func steps(q stepQuestion) ([]micro.Result, error) {
	var list []micro.Result
	cases := micro.Cases()
	for i := range cases {
		c := cases[(i+q.Round)%len(cases)]
		if !strings.HasPrefix(c.Name, q.Prefix) {
			continue
		}
		dir, err := os.MkdirTemp(q.Dir, "step")
		if err != nil {
			return nil, err
		}
		r, err := micro.Run(c, dir)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

type stepQuestion struct {
	Prefix, Dir string
	Round       int
}

// Harness starts the processes.
type Harness struct {
	url   string
	dir   string
	stdin io.Closer
	wait  func() error
}

// Start starts the server.
func Start(ctx context.Context) (*Harness, error) {
	dir, err := os.MkdirTemp("", "sessionspan-bench")
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	cmd, err := self(ctx, roleServer)
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", errors.Join(err, stdin.Close(), cmd.Wait()))
	}
	return &Harness{strings.TrimSpace(url), dir, stdin, cmd.Wait}, nil
}

// Close ends the server.
func (h *Harness) Close() error { return errors.Join(h.stdin.Close(), h.wait(), os.RemoveAll(h.dir)) }

// Run measures in a process of its own.
func (h *Harness) Run(ctx context.Context, spec measure.Spec) (r measure.Result, err error) {
	spec.URL = h.url
	if spec.Dir, err = os.MkdirTemp(h.dir, "run"); err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(spec.Dir) }()
	if err := collect.Reset(ctx, h.url); err != nil {
		return r, err
	}
	err = ask(ctx, roleRun, spec, &r)
	if err != nil {
		err = fmt.Errorf("%s, %s: %w", spec.Name(), spec.Workload, err)
	}
	return r, err
}

// Steps measures the steps whose names start with prefix, in one process.
func (h *Harness) Steps(ctx context.Context, prefix string, round int) (list []micro.Result, err error) {
	err = ask(ctx, roleMicro, stepQuestion{prefix, h.dir, round}, &list)
	return list, err
}

func ask(ctx context.Context, role string, question, into any) error {
	cmd, err := self(ctx, role)
	if err != nil {
		return err
	}
	input, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("ask for a measurement: %w", err)
	}
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	// Some clients print to standard output: the answer is the last line.
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], into); err != nil {
		return fmt.Errorf("read a measurement: %w", err)
	}
	return nil
}

// root is asked for once, rather than by each process.
var root = sync.OnceValue(workload.Root)

// self returns this program in another role, without the variables of the user
// that would change what it does.
func self(ctx context.Context, role string) (*exec.Cmd, error) {
	name, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, name) //nolint:gosec // it is this very program
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OTEL_") && !strings.HasPrefix(v, "HH_") && !strings.HasPrefix(v, "DD_") && !strings.HasPrefix(v, "LANGFUSE_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, roleVariable+"="+role, "GOROOT="+root())
	cmd.Stderr = os.Stderr
	return cmd, nil
}
