package otlp

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Join returns one ExportTraceServiceRequest, in pieces, with the spans of bodies
// that AppendTraces made. Spans whose resource and resource schema URL have
// equal bytes share a ResourceSpans, and of these the ones whose scope and scope
// schema URL have equal bytes share a ScopeSpans. Resources, scopes and spans
// keep the order in which they first come. The pieces share the memory of the
// bodies, so a request costs little beside them.
//
// Join reads every body to its end, so that a damaged one does not spoil the
// request. The error names the first body that is not one that AppendTraces
// makes.
func Join(bodies ...[]byte) ([][]byte, error) { return join(bodies, split) }

// JoinOwn is Join for bodies that this process has made itself and nobody can
// have damaged: it reads no further into them than it must.
func JoinOwn(bodies ...[]byte) ([][]byte, error) { return join(bodies, cutUp) }

func join(bodies [][]byte, split func([]byte) (parts, error)) ([][]byte, error) {
	j := joiner{resourceOf: make(map[frameKey]*resourceGroup), scopeOf: make(map[frameKey]*scopeGroup)}
	for i, body := range bodies {
		p, err := split(body)
		if err != nil {
			return nil, fmt.Errorf("join traces: body %d: %w", i, err)
		}
		j.add(p, len(bodies)-i)
	}
	return j.pieces(len(bodies)), nil
}

// joiner groups spans. Groups are in the order in which they first came.
type joiner struct {
	resources  []*resourceGroup
	resourceOf map[frameKey]*resourceGroup
	scopeOf    map[frameKey]*scopeGroup
	// What the last span belongs to: that of the next is mostly the same.
	resource *resourceGroup
	scope    *scopeGroup
}

// frameKey is a frame as a map key. A scope belongs to a resource.
type frameKey struct {
	resource   *resourceGroup
	head, tail string
}

type resourceGroup struct {
	frame

	scopes []*scopeGroup
}

type scopeGroup struct {
	frame

	spans [][]byte
	size  int // of the whole ScopeSpans
}

// add adds a span, of which there are as many to come.
func (j *joiner) add(p parts, left int) {
	if j.resource == nil || !j.resource.equal(p.resource) {
		j.resource, j.scope = j.resourceGroup(p.resource), nil
	}
	if j.scope == nil || !j.scope.equal(p.scope) {
		j.scope = j.scopeGroup(p.scope)
	}
	if len(j.scopeOf) == 1 && j.scope.spans == nil {
		j.scope.spans = make([][]byte, 0, left) // mostly all are of one scope
	}
	j.scope.spans = append(j.scope.spans, p.span)
	j.scope.size += messageSize(len(p.span))
}

func (j *joiner) resourceGroup(f frame) *resourceGroup {
	key := frameKey{nil, string(f.head), string(f.tail)}
	resource := j.resourceOf[key]
	if resource == nil {
		resource = &resourceGroup{frame: f}
		j.resourceOf[key] = resource
		j.resources = append(j.resources, resource)
	}
	return resource
}

// scopeGroup returns the group of a scope of the last resource.
func (j *joiner) scopeGroup(f frame) *scopeGroup {
	key := frameKey{j.resource, string(f.head), string(f.tail)}
	scope := j.scopeOf[key]
	if scope == nil {
		scope = &scopeGroup{frame: f, size: f.size()}
		j.scopeOf[key] = scope
		j.resource.scopes = append(j.resource.scopes, scope)
	}
	return scope
}

// maxFrame is the most that a tag and a length take.
const maxFrame = 1 + binary.MaxVarintLen32

// pieces writes tags, lengths, resources and scopes into one buffer, and puts
// the spans between its parts.
func (j *joiner) pieces(spans int) [][]byte {
	size := spans * maxFrame
	for _, resource := range j.resources {
		size += maxFrame + len(resource.head) + len(resource.tail)
		for _, scope := range resource.scopes {
			size += maxFrame + len(scope.head) + len(scope.tail)
		}
	}
	buffer := make([]byte, 0, size) // is never moved
	pieces := make([][]byte, 0, 2*spans+1)
	from := 0
	for _, resource := range j.resources {
		buffer = protowire.AppendTag(buffer, tracesResourceSpans, protowire.BytesType)
		buffer = protowire.AppendVarint(buffer, uint64(resource.size()))
		buffer = append(buffer, resource.head...)
		for _, scope := range resource.scopes {
			buffer = protowire.AppendTag(buffer, resourceSpansScopeSpans, protowire.BytesType)
			buffer = protowire.AppendVarint(buffer, uint64(scope.size))
			buffer = append(buffer, scope.head...)
			for _, span := range scope.spans {
				buffer = protowire.AppendTag(buffer, scopeSpansSpan, protowire.BytesType)
				buffer = protowire.AppendVarint(buffer, uint64(len(span)))
				pieces = append(pieces, buffer[from:len(buffer):len(buffer)], span)
				from = len(buffer)
			}
			buffer = append(buffer, scope.tail...)
		}
		buffer = append(buffer, resource.tail...)
	}
	if from < len(buffer) {
		pieces = append(pieces, buffer[from:])
	}
	return pieces
}

// size is that of the whole ResourceSpans.
func (g *resourceGroup) size() int {
	n := g.frame.size()
	for _, scope := range g.scopes {
		n += messageSize(scope.size)
	}
	return n
}

// messageSize is the size of a message of n bytes with its tag and length, in a
// field below 16.
func messageSize(n int) int { return 1 + protowire.SizeBytes(n) }
