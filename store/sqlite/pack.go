package sqlite

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// To read a column through database/sql takes longer than to read the row, so
// what is read for 100,000 rows at once stands packed in one column: the rows of
// trees, and the samples of plots. Numbers are little endian; first come two
// bytes with a bit for each number that is known.

// bits of what is known, in the order in which it is written.
const (
	bitStart = 1 << iota
	bitEnd
	bitDuration
	bitTokensIn
	bitTokensOut
	bitCost
	bitFirstToken
	bitRating
	bitFeedback  // true, without a number
	bitBackwards // the same
	bitWrapped   // the same
	bitBilled    // of a row: what a price is looked up by follows; of a sample: a part of the cost was derived
	bitOthers    // of a sample: costs in other currencies follow
	bitUnpriced  // true, without a number
)

// packer writes numbers behind their bits.
type packer struct {
	b    []byte
	at   int // where the bits are
	bits uint16
}

func newPacker(b []byte) *packer { return &packer{b: append(b, 0, 0), at: len(b)} }

func (p *packer) put(bit uint16, v uint64) {
	p.bits |= bit
	p.b = binary.LittleEndian.AppendUint64(p.b, v)
}

func (p *packer) float(bit uint16, v honeyhive.Optional[float64]) {
	if n, ok := v.Get(); ok {
		p.put(bit, math.Float64bits(n))
	}
}

func (p *packer) integer(bit uint16, v honeyhive.Optional[int64]) {
	if n, ok := v.Get(); ok {
		p.put(bit, uint64(n))
	}
}

func (p *packer) done() []byte {
	binary.LittleEndian.PutUint16(p.b[p.at:], p.bits)
	return p.b
}

func (p *packer) measures(m *store.Measures) {
	p.float(bitStart, m.Start)
	p.float(bitEnd, m.End)
	p.float(bitDuration, m.Duration)
	p.integer(bitTokensIn, m.TokensIn)
	p.integer(bitTokensOut, m.TokensOut)
	p.integer(bitCost, record.CostUnits(m.Cost))
	p.float(bitFirstToken, m.FirstToken)
	p.float(bitRating, m.Rating)
	if m.Feedback {
		p.bits |= bitFeedback
	}
	if m.Backwards {
		p.bits |= bitBackwards
	}
}

// unpacker reads what a packer wrote. What is missing is zero.
type unpacker struct {
	b      []byte
	broken bool
	bits   uint16
}

// take returns the next n bytes, or none where there are fewer.
func (u *unpacker) take(n int) []byte {
	if n < 0 || len(u.b) < n { // an int may have 32 bits
		u.broken = true
		return nil
	}
	part := u.b[:n]
	u.b = u.b[n:]
	return part
}

func (u *unpacker) uint64() uint64 {
	if b := u.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (u *unpacker) readBits() {
	if b := u.take(2); b != nil {
		u.bits = binary.LittleEndian.Uint16(b)
	}
}

func (u *unpacker) uvarint() int64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 || v > math.MaxInt64 {
		u.broken = true
		return 0
	}
	u.b = u.b[n:]
	return int64(v)
}

func (u *unpacker) text() []byte {
	if b := u.take(4); b != nil {
		return u.take(int(binary.LittleEndian.Uint32(b)))
	}
	return nil
}

func (u *unpacker) float(bit uint16) (v honeyhive.Optional[float64]) {
	if u.bits&bit != 0 {
		v = honeyhive.Some(math.Float64frombits(u.uint64()))
	}
	return v
}

func (u *unpacker) integer(bit uint16) (v honeyhive.Optional[int64]) {
	if u.bits&bit != 0 {
		v = honeyhive.Some(int64(u.uint64()))
	}
	return v
}

func (u *unpacker) measures() store.Measures {
	u.readBits()
	m := store.Measures{
		Start: u.float(bitStart), End: u.float(bitEnd), Duration: u.float(bitDuration),
		TokensIn: u.integer(bitTokensIn), TokensOut: u.integer(bitTokensOut),
	}
	if n, ok := u.integer(bitCost).Get(); ok {
		m.Cost = honeyhive.Some(record.FromCostUnits(n))
	}
	m.FirstToken, m.Rating, m.Feedback = u.float(bitFirstToken), u.float(bitRating), u.bits&bitFeedback != 0
	m.Backwards = u.bits&bitBackwards != 0
	return m
}

func (u *unpacker) err(what string) error {
	if u.broken || len(u.b) > 0 {
		return fmt.Errorf("%s: %w", what, store.ErrCorrupt)
	}
	return nil
}

// packRow writes the row of an event, but for its session and number. Type and kind
// are one text, so that rows from before there were kinds have none.
func packRow(r *store.EventRow) []byte {
	p := newPacker(make([]byte, 0, 160))
	p.measures(&r.Measures)
	billed := record.Billed(r)
	if billed {
		p.bits |= bitBilled
	}
	if r.Unpriced {
		p.bits |= bitUnpriced
	}
	b := append(append(p.done(), r.ID[:]...), r.Parent[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Bytes))
	kinds := r.Type
	if r.Kind != "" {
		kinds += "/" + r.Kind
	}
	for _, s := range [...]string{kinds, r.Name, r.Model, r.Error} {
		b = appendText(b, s)
	}
	if !billed {
		return b
	}
	derived, known := r.Derived.Get()
	currency := ""
	if known {
		currency = r.DerivedCurrency
	}
	for _, s := range [...]string{r.Currency, r.Provider, r.ResponseModel, r.ServiceTier, currency} {
		b = appendText(b, s)
	}
	u := &r.Billed
	for _, n := range [...]int64{u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Reasoning, record.ToCostUnits(derived)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...) //nolint:gosec // texts of a row are cut to less
}

// names keeps one copy of texts that are the same in many rows.
type names map[string]string

func (n names) get(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	const most = 1000
	s := string(b)
	if len(n) < most {
		n[s] = s
	}
	return s
}

// unpackRow reads a row. What one of an earlier version does not say is not known.
func unpackRow(b []byte, n names) (store.EventRow, error) {
	u := unpacker{b: b}
	r := store.EventRow{Measures: u.measures()}
	copy(r.ID[:], u.take(16))
	copy(r.Parent[:], u.take(16))
	r.Bytes = int64(u.uint64())
	for _, s := range [...]*string{&r.Type, &r.Name, &r.Model, &r.Error} {
		*s = n.get(u.text())
	}
	r.Type, r.Kind, _ = strings.Cut(r.Type, "/")
	if u.bits&bitBilled == 0 {
		return r, u.err("row of an event")
	}
	for _, s := range [...]*string{&r.Currency, &r.Provider, &r.ResponseModel, &r.ServiceTier, &r.DerivedCurrency} {
		*s = n.get(u.text())
	}
	for _, v := range [...]*int64{&r.Billed.Input, &r.Billed.Output, &r.Billed.CacheRead, &r.Billed.CacheWrite, &r.Billed.Reasoning} {
		*v = u.uvarint()
	}
	if derived := u.uvarint(); r.DerivedCurrency != "" {
		r.Derived = honeyhive.Some(record.FromCostUnits(derived))
	}
	r.Unpriced = u.bits&bitUnpriced != 0
	return r, u.err("row of an event")
}

// isUnbilled reports whether a row of an earlier version does not say what its price is
// looked up by.
func isUnbilled(b []byte, r *store.EventRow) bool {
	u := unpacker{b: b}
	u.readBits()
	return u.bits&bitBilled == 0 && record.Billed(r)
}

// sample is a session, or a model event, as a plot sees it.
type sample struct {
	moment               float64
	status               store.Status
	duration, firstToken honeyhive.Optional[float64]
	in, out, cost        honeyhive.Optional[int64]
	events               int64
	wrapped              bool            // a model event whose call is counted below it
	derived              int64           // of the cost
	others               []record.Amount // in other currencies
	unpriced             bool
}

// statuses are written as their index.
var statuses = [...]store.Status{store.StatusOK, store.StatusError, store.StatusRunning, store.StatusOrphan, store.StatusIncomplete}

func packSample(s *sample) []byte {
	p := newPacker(make([]byte, 0, 64))
	p.float(bitDuration, s.duration)
	p.float(bitFirstToken, s.firstToken)
	p.integer(bitTokensIn, s.in)
	p.integer(bitTokensOut, s.out)
	p.integer(bitCost, s.cost)
	if s.wrapped {
		p.bits |= bitWrapped
	}
	if s.derived != 0 {
		p.bits |= bitBilled
	}
	if len(s.others) > 0 {
		p.bits |= bitOthers
	}
	if s.unpriced {
		p.bits |= bitUnpriced
	}
	b := binary.LittleEndian.AppendUint64(p.done(), math.Float64bits(s.moment))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.events))
	for i, status := range statuses {
		if s.status == status {
			b = append(b, byte(i))
		}
	}
	if s.derived != 0 {
		b = binary.AppendUvarint(b, uint64(s.derived))
	}
	if len(s.others) > 0 {
		b = append(b, byte(len(s.others))) //nolint:gosec // of which there are few
		for _, a := range s.others {
			b = binary.AppendUvarint(binary.AppendUvarint(appendText(b, a.Currency), uint64(a.Units)), uint64(a.Derived))
		}
	}
	return b
}

func unpackSample(b []byte) (sample, error) {
	u := unpacker{b: b}
	u.readBits()
	s := sample{
		duration: record.Duration(u.float(bitDuration)), firstToken: u.float(bitFirstToken),
		in: u.integer(bitTokensIn), out: u.integer(bitTokensOut), cost: u.integer(bitCost),
		moment: math.Float64frombits(u.uint64()), events: int64(u.uint64()), wrapped: u.bits&bitWrapped != 0,
	}
	if b := u.take(1); b != nil && int(b[0]) < len(statuses) {
		s.status = statuses[b[0]]
	}
	s.unpriced = u.bits&bitUnpriced != 0
	if u.bits&bitBilled != 0 {
		s.derived = u.uvarint()
	}
	if u.bits&bitOthers != 0 {
		if b := u.take(1); b != nil {
			for range b[0] {
				s.others = append(s.others, record.Amount{Currency: string(u.text()), Units: u.uvarint(), Derived: u.uvarint()})
			}
		}
	}
	return s, u.err("sample of a plot")
}
