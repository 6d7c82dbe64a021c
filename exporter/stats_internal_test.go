package exporter

import (
	"reflect"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
)

// TestStatsOf holds that the public account has every field of that of the engine,
// with its value, and a name for every reason.
func TestStatsOf(t *testing.T) {
	in := delivery.Stats{
		Destination: "d", Created: 1, Adopted: 2, Delivered: 3, Waiting: 4, Undecided: 12, WaitingBytes: 5, WaitingOnDisk: 6, SpoolBytes: 7, Spooled: 8,
		SetAside: 9, Retried: 10, OldestAge: 11 * time.Second, Dropped: make(map[delivery.Reason]int64),
	}
	for i, r := range []delivery.Reason{delivery.QueueFull, delivery.TooLarge, delivery.Refused, delivery.Broken, delivery.Closed, delivery.Unreadable, delivery.SampledOut, delivery.Discarded} {
		in.Dropped[r] = int64(i + 100)
	}
	out := statsOf(in)
	from, to := reflect.ValueOf(in), reflect.ValueOf(out)
	if from.NumField() != to.NumField() {
		t.Errorf("%d fields, of %d", to.NumField(), from.NumField())
	}
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		switch v := to.FieldByName(name); {
		case from.Field(i).IsZero():
			t.Errorf("the test has no value for %s", name)
		case !v.IsValid():
			t.Errorf("there is no %s", name)
		case name != "Dropped" && !reflect.DeepEqual(v.Interface(), from.Field(i).Interface()):
			t.Errorf("%s is %v, want %v", name, v, from.Field(i))
		}
	}
	for i, r := range []Reason{QueueFull, TooLarge, Refused, Broken, Closed, Unreadable, SampledOut, Discarded} {
		if out.Dropped[r] != int64(i+100) {
			t.Errorf("%s is %d", r, out.Dropped[r])
		}
	}
	if statsOf(delivery.Stats{}).Dropped != nil {
		t.Error("a map of nothing")
	}
}
