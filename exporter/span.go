package exporter

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/span"
)

// view is a worker's view of one span after the other: as much of each as its
// destination may see.
type view struct {
	privacy privacy
	cut     cutter
	span    span.Span
}

// show returns what the destination may see of a source, until clear.
func (v *view) show(s span.Source) *span.Span {
	s.Show(&v.span)
	v.privacy.span(&v.span)
	v.cut.span(&v.span, s.Size())
	return &v.span
}

func (v *view) clear() { v.span.Clear() }

// updateOverhead is about what an update takes in memory besides its texts.
const updateOverhead = 1024

// sizeOfUpdate returns about how many bytes an update keeps in memory.
func sizeOfUpdate(u *honeyhive.Update) int64 {
	n := int64(updateOverhead)
	for _, o := range []honeyhive.Object{u.Config, u.Outputs, u.Metadata, u.Metrics, u.Feedback, u.UserProperties, u.Unknown} {
		n += span.TextSize(len(o.JSONText()))
	}
	return n
}
