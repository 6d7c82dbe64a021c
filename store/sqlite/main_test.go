package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openIn(t testing.TB, dir string) store.Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(dir, "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) { storetest.Run(t, openIn) }

// TestBackground has all but the smallest sessions computed in the background.
func TestBackground(t *testing.T) {
	defer func(events int64, members int) { smallEvents, smallMembers = events, members }(smallEvents, smallMembers)
	smallEvents, smallMembers = 2, 1
	storetest.RunState(t, openIn)
}
