package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

const (
	manyEvents   = 100_000 // of one session
	manySessions = 100_000
)

// firstPaint is when the page showed something first. Scripts may run before the
// browser tells.
const firstPaint = `new Promise((done) => new PerformanceObserver((list) => {
	for (const entry of list.getEntriesByName("first-contentful-paint")) {
		done(entry.startTime);
	}
}).observe({type: "paint", buffered: true}))`

// filled is a file of sessions that is written without a server, which would take
// most of the time.
func filled(t *testing.T, batches func(write func(...store.Write))) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sessions.db")
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	var batch []store.Write
	flush := func() {
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
	}
	batches(func(w ...store.Write) {
		if batch = append(batch, w...); len(batch) >= 5000 {
			flush()
		}
	})
	flush()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func sessionRecord(id, name string, start time.Time, took time.Duration) store.Write {
	from := float64(start.UnixMilli())
	return store.Write{Session: &honeyhive.SessionStartRequest{
		SessionID: honeyhive.Some(id), SessionName: honeyhive.Some(name), Project: honeyhive.Some("Load"), Source: honeyhive.Some("staging"),
		StartTime: honeyhive.Some(from), EndTime: honeyhive.Some(from + float64(took.Milliseconds())), Duration: honeyhive.Some(float64(took.Milliseconds())),
	}}
}

// TestManyEvents opens a session of 100,000 events, scrolls through it and looks
// at what is in sight. Times are printed: how long it takes depends on what else
// the machine does.
func TestManyEvents(t *testing.T) {
	id := honeyhive.NewUUID().String()
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	file := filled(t, func(write func(...store.Write)) {
		write(sessionRecord(id, "many events", start, 500*time.Second))
		parent := id
		for i := range manyEvents {
			event := honeyhive.NewUUID().String()
			e := &honeyhive.Event{
				EventID: honeyhive.Some(event), SessionID: honeyhive.Some(id), ParentID: honeyhive.Some(parent),
				EventName: honeyhive.Some(fmt.Sprintf("step %d", i)), EventType: honeyhive.Some([]string{"chain", "model", "tool"}[i%3]),
				StartTime: honeyhive.Some(float64(start.UnixMilli() + int64(i*5))), Duration: honeyhive.Some(float64(5 + i%80)),
			}
			if i%20 == 0 { // each has the next nineteen below it
				e.ParentID, parent = honeyhive.Some(id), event
			}
			if i%1000 == 999 {
				e.Error = honeyhive.Some("it broke")
			}
			write(store.Write{Event: e})
		}
	})
	s := startFile(t, file)
	b := newTab(t, s.URL())
	for _, view := range []string{"tree", "timeline"} {
		for range 2 { // the second time the server knows the tree
			asked := time.Now()
			b.open("/s/" + id + "?view=" + view)
			b.wait(`document.querySelector("#row-3")?.textContent.includes("step 3")`)
			paint := eval[float64](b, firstPaint)
			t.Logf("%s: first paint after %.0f ms, rows after %d ms", view, paint, time.Since(asked).Milliseconds())
		}
		b.ready()
		frames := eval[[]float64](b, `new Promise((done) => {
			const grid = document.getElementById("rows");
			const frames = [];
			let last = performance.now();
			const end = last + 10000; // a slow machine draws fewer
			const step = (now) => {
				frames.push(now - last);
				last = now;
				grid.scrollTop += frames.length % 60 === 0 ? 300000 : 240;
				if (frames.length < 360 && now < end || frames.length < 10) requestAnimationFrame(step);
				else done(frames.slice(2));
			};
			requestAnimationFrame(step);
		})`)
		slices.Sort(frames)
		over := len(frames) - slices.IndexFunc(append(frames, 1e9), func(f float64) bool { return f > 50 })
		t.Logf("%s: %d frames while scrolling: half within %.0f ms, 99 of 100 within %.0f ms, the longest %.0f ms, %d over 50 ms",
			view, len(frames), frames[len(frames)/2], frames[len(frames)*99/100], frames[len(frames)-1], over)
		for _, place := range []int{0, manyEvents / 2, manyEvents - 10} {
			eval[bool](b, fmt.Sprintf(`(document.getElementById("rows").scrollTop = %d * 28, true)`, place))
			row := place + 5
			b.wait(fmt.Sprintf(`document.getElementById("row-%d")?.textContent.includes("step %d")`, row, row))
			inSight := eval[bool](b, fmt.Sprintf(`(() => {
				const row = document.getElementById("row-%d").getBoundingClientRect(), grid = document.getElementById("rows").getBoundingClientRect();
				return row.top >= grid.top && row.bottom <= grid.bottom + 1;
			})()`, row))
			if !inSight {
				t.Errorf("%s: row %d is not in sight", view, row)
			}
		}
		if rows, nodes := b.count("#rows .body .row"), b.count("*"); rows > 120 || nodes > 3000 {
			t.Errorf("%s: %d rows are built, %d elements in all", view, rows, nodes)
		} else {
			t.Logf("%s: %d rows are built, %d elements in all", view, rows, nodes)
		}
	}
	b.press("e") // the next error
	b.show("/s/" + id + "?view=tree")
	b.press("e")
	b.waitText("#row-999.current", "step 999")
	b.press("h")
	b.open("/s/" + id)
	if n := b.count("*"); n > 6000 {
		t.Errorf("the thread has %d elements", n)
	}
}

// TestManySessions lists 100,000 sessions.
func TestManySessions(t *testing.T) {
	start := time.Now().Add(-manySessions * time.Second)
	file := filled(t, func(write func(...store.Write)) {
		for i := range manySessions {
			write(sessionRecord(honeyhive.NewUUID().String(), fmt.Sprintf("session %d", i), start.Add(time.Duration(i)*time.Second), time.Duration(i%5000)*time.Millisecond))
		}
	})
	s := startFile(t, file)
	for _, path := range []string{"/", "/?sort=duration", "/?source=staging&status=ok", "/?since=1h", "/?q=4711"} {
		var took []time.Duration
		for range 9 {
			began := time.Now()
			if status, _ := get(t, s.URL()+path); status != http.StatusOK {
				t.Fatalf("%s is answered with %d", path, status)
			}
			took = append(took, time.Since(began))
		}
		first := took[0]
		slices.Sort(took)
		t.Logf("%s: answered after %s at first, then %s to %s, half within %s", path, first.Round(time.Millisecond),
			took[0].Round(time.Millisecond), took[8].Round(time.Millisecond), took[4].Round(time.Millisecond))
	}
	b := newTab(t, s.URL())
	b.show("/")
	b.has("#figures", "Sessions 100,000")
	if names := b.names(); len(names) != 100 || names[0] != "session 99999" {
		t.Errorf("the list starts with %q", names[:min(3, len(names))])
	}
	b.show("/?q=session+4711")
	b.wait(`document.querySelectorAll("#sessions tbody tr").length >= 1`)
	if names := b.names(); !slices.Contains(names, "session 4711") {
		t.Errorf("the search finds %q", names[:min(3, len(names))])
	}
}
