package otlp

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Join adds to dst one ExportTraceServiceRequest with the spans of bodies that
// AppendTraces made. Spans whose resource and resource schema URL have equal
// bytes share a ResourceSpans, and of these the ones whose scope and scope
// schema URL have equal bytes share a ScopeSpans. Resources, scopes and spans
// keep the order in which they first come.
//
// Join reads every body to its end, so that a damaged one does not spoil the
// request. The error names the first body that is not one that AppendTraces
// makes; dst is then returned as it was. The bodies must not share memory with
// the room behind dst.
func Join(dst []byte, bodies ...[]byte) ([]byte, error) {
	j := joiner{resourceOf: make(map[frameKey]*resourceGroup), scopeOf: make(map[frameKey]*scopeGroup)}
	for i, body := range bodies {
		p, err := split(body)
		if err != nil {
			return dst, fmt.Errorf("join traces: body %d: %w", i, err)
		}
		j.add(p)
	}
	return j.append(dst), nil
}

// joiner groups spans. Groups are in the order in which they first came.
type joiner struct {
	resources  []*resourceGroup
	resourceOf map[frameKey]*resourceGroup
	scopeOf    map[frameKey]*scopeGroup
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

func (j *joiner) add(p parts) {
	// Written out twice, because a conversion inside the index expression of a
	// lookup does not copy the bytes.
	resource := j.resourceOf[frameKey{nil, string(p.resource.head), string(p.resource.tail)}]
	if resource == nil {
		resource = &resourceGroup{frame: p.resource}
		j.resourceOf[frameKey{nil, string(p.resource.head), string(p.resource.tail)}] = resource
		j.resources = append(j.resources, resource)
	}
	scope := j.scopeOf[frameKey{resource, string(p.scope.head), string(p.scope.tail)}]
	if scope == nil {
		scope = &scopeGroup{frame: p.scope, size: p.scope.size()}
		j.scopeOf[frameKey{resource, string(p.scope.head), string(p.scope.tail)}] = scope
		resource.scopes = append(resource.scopes, scope)
	}
	scope.spans = append(scope.spans, p.span)
	scope.size += messageSize(len(p.span))
}

func (j *joiner) append(dst []byte) []byte {
	total := 0
	for _, resource := range j.resources {
		total += messageSize(resource.size())
	}
	dst = slices.Grow(dst, total)
	for _, resource := range j.resources {
		dst = protowire.AppendTag(dst, tracesResourceSpans, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(resource.size()))
		dst = append(dst, resource.head...)
		for _, scope := range resource.scopes {
			dst = protowire.AppendTag(dst, resourceSpansScopeSpans, protowire.BytesType)
			dst = protowire.AppendVarint(dst, uint64(scope.size))
			dst = append(dst, scope.head...)
			for _, span := range scope.spans {
				dst = protowire.AppendTag(dst, scopeSpansSpan, protowire.BytesType)
				dst = protowire.AppendBytes(dst, span)
			}
			dst = append(dst, scope.tail...)
		}
		dst = append(dst, resource.tail...)
	}
	return dst
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
