package honeyhive_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestVectors holds ids that other implementations must derive too.
func TestVectors(t *testing.T) {
	for _, tc := range []struct{ trace, span, want string }{
		{"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "39abed16-5de7-52c5-a3c9-6d4bbf40d112"},
		{strings.Repeat("f", 32), strings.Repeat("f", 16), "9ad17209-6f02-545f-a422-e78456bb0b7f"},
	} {
		var trace [16]byte
		var span [8]byte
		if _, err := hex.Decode(trace[:], []byte(tc.trace)); err != nil {
			t.Fatal(err)
		}
		if _, err := hex.Decode(span[:], []byte(tc.span)); err != nil {
			t.Fatal(err)
		}
		if got := honeyhive.EventID(trace, span).String(); got != tc.want {
			t.Errorf("EventID(%s, %s) = %s, want %s", tc.trace, tc.span, got, tc.want)
		}
	}
	if got, want := honeyhive.SessionID("Simple RAG Project", "user-42").String(), "bccc1984-916f-5aaa-923c-e16deb776a6f"; got != want {
		t.Errorf("SessionID = %s, want %s", got, want)
	}
}

func TestSessionID(t *testing.T) {
	const u = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	if got := honeyhive.SessionID("p", u).String(); got != u {
		t.Errorf("a UUID must name itself: %s", got)
	}
	if got := honeyhive.SessionID("p", strings.ToUpper(u)).String(); got != u {
		t.Errorf("upper case: %s", got)
	}
	if got := honeyhive.SessionID("p", ""); !got.IsZero() {
		t.Errorf("empty name: %s", got)
	}
	if honeyhive.SessionID("a", "b") == honeyhive.SessionID("a2", "b") {
		t.Error("two projects share an id")
	}
	if honeyhive.SessionID("a", "\x00b") == honeyhive.SessionID("a\x00", "b") {
		t.Log("a zero byte in the project's name can collide, as the definition has it")
	}
	const nilUUID = "00000000-0000-0000-0000-000000000000"
	if got := honeyhive.SessionID("p", nilUUID); got.IsZero() {
		t.Error("the nil UUID is no id of its own")
	}
	long := strings.Repeat("x", 10_000)
	if honeyhive.SessionID("p", long) == honeyhive.SessionID("p", long+"y") {
		t.Error("long names share an id")
	}
}

func TestParseUUID(t *testing.T) {
	for _, s := range []string{
		"", "x", "caf77ace34174da4944df4a0688f3c23", "{caf77ace-3417-4da4-944d-f4a0688f3c23}", "urn:uuid:caf77ace-3417-4da4-944d-f4a0688f3c23",
		"caf77ace-3417-4da4-944d-f4a0688f3c2g", "caf77ace-3417-4da4-944d-f4a0688f3c2", "caf77ace-3417-4da4-944d-f4a0688f3c233", "caf77ace-3417-4da4-944df4a0688f3c2-3",
		"00f067aa0ba902b7", "caf77ace-3417-4da4-944d-f4a0-88f3c23", "7f22137a-6911-4ed3-bc36-bc36-1de6b66", "caf77ace-3417-4da4-944d-------------", "caf77ace_3417_4da4_944d_f4a0688f3c23", "caf77ac\u00e9-417-4da4-944d-f4a0688f3c23", strings.Repeat("a\r\n", 5000),
	} {
		if u, err := honeyhive.ParseUUID(s); err == nil {
			t.Errorf("ParseUUID(%q) = %s", s, u)
		} else if len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("ParseUUID(%.20q…): the error quotes too much: %.80q", s, err)
		}
	}
}

func TestNewUUID(t *testing.T) {
	seen := map[honeyhive.UUID]bool{}
	for range 1000 {
		u := honeyhive.NewUUID()
		if s := u.String(); s[14] != '4' || !strings.ContainsRune("89ab", rune(s[19])) {
			t.Fatalf("%s is no version 4 UUID", s)
		}
		if back, err := honeyhive.ParseUUID(u.String()); err != nil || back != u {
			t.Fatalf("%s reads back as %s, %v", u, back, err)
		}
		if seen[u] {
			t.Fatalf("%s twice", u)
		}
		seen[u] = true
	}
}

func TestUUIDAllocations(t *testing.T) {
	var u honeyhive.UUID
	buf := make([]byte, 0, 36)
	if n := testing.AllocsPerRun(100, func() {
		u.Randomize()
		u = honeyhive.EventID(u, [8]byte{1})
		buf = u.Append(buf[:0])
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
