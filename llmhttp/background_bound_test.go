package llmhttp

import (
	"fmt"
	"testing"

	"github.com/sessionspan/sessionspan"
)

// TestPendingBounds holds what is remembered of responses that nobody asks for.
func TestPendingBounds(t *testing.T) {
	var p pendingEvents
	event := new(sessionspan.Event)
	key := func(i int) pendingKey { return pendingKey{"host", fmt.Sprint("resp_", i)} }
	for i := range 3 * mostPending {
		p.put(key(i), event, eventBytes)
		if p.order.Len() != len(p.known) || p.order.Len() > mostPending || p.bytes > mostPendingBytes {
			t.Fatalf("%d of %d responses with %d bytes", p.order.Len(), len(p.known), p.bytes)
		}
	}
	if _, known := p.take(key(0)); known {
		t.Error("the oldest is known")
	}
	last := key(3*mostPending - 1)
	if got, known := p.take(last); got != event || !known {
		t.Error("the newest is not known")
	}
	if got, known := p.take(last); got != nil || !known {
		t.Error("an event is given twice")
	}
	for i := range 10 { // of large requests fewer are remembered
		p.put(key(i), event, mostPendingBytes/3)
		p.put(key(i), event, mostPendingBytes/3)
	}
	if p.bytes > mostPendingBytes || p.order.Len() > 3 {
		t.Errorf("%d responses with %d bytes", p.order.Len(), p.bytes)
	}
	p.put(key(11), event, 2*mostPendingBytes)
	if p.bytes != 0 || p.order.Len() != 0 || len(p.known) != 0 {
		t.Errorf("%d responses with %d bytes after one that is too large", p.order.Len(), p.bytes)
	}
}
