// There is no SIGTERM on Windows.

//go:build !windows

package soak

import (
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestTerminate ends a program with a signal while its server does not answer.
// The program ends soon, and all that it recorded is delivered by the next one.
func TestTerminate(t *testing.T) {
	l := &lane{t: t, oracle: newOracle(), dir: filepath.Join(t.TempDir(), "spool"), rand: rand.New(rand.NewPCG(1, 1))}
	l.server = newServer(t, l.oracle.take)
	l.server.set(hung)
	open, said := 0, 0
	lines, signalled := l.child("term", func(s line) bool {
		switch s.what {
		case saidBegin:
			open++
		case saidSession:
			open--
		}
		said++
		return open > 0 && said >= 40
	}, syscall.SIGTERM)
	if t.Failed() {
		return
	}
	last := lines[len(lines)-1]
	took := time.Duration(last.at - signalled)
	t.Logf("it ended %v after the signal, with %d lines said", took, len(lines))
	if last.what != saidClosed || last.a != "left" {
		t.Errorf("the end was %+v, %v after the signal", last, took)
	}
	if last.b != "0" {
		t.Errorf("%s records were dropped, though there is a spool", last.b)
	}
	l.expect(lines, signalled+int64(time.Hour))
	l.server.set(healthy)
	l.drain()
	l.compare()
}
