package otlp

import (
	"bytes"
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// frame holds the bytes that surround the payload of a ResourceSpans or
// ScopeSpans: the resource or scope in front, the schema URL behind.
type frame struct {
	head, tail []byte
}

func (f frame) equal(g frame) bool { return bytes.Equal(f.head, g.head) && bytes.Equal(f.tail, g.tail) }

func (f frame) size() int { return len(f.head) + len(f.tail) }

// All spans of a provider have one resource, and those of a tracer one scope,
// so their bytes are kept. A resource never changes and is known by its pointer.
var (
	resources frameCache[*resource.Resource]
	scopes    frameCache[instrumentation.Scope]
)

func resourceFrame(r *resource.Resource) frame {
	if r == nil {
		return frame{}
	}
	if f, ok := resources.load(r); ok {
		return f
	}
	content := appendSet(nil, resourceAttribute, r.Set())
	f := newFrame(resourceSpansResource, content, resourceSpansSchemaURL, r.SchemaURL())
	resources.store(r, f)
	return f
}

func scopeFrame(s instrumentation.Scope) frame {
	if s == (instrumentation.Scope{}) {
		return frame{}
	}
	if f, ok := scopes.load(s); ok {
		return f
	}
	content := appendText(nil, scopeName, validText(s.Name))
	content = appendText(content, scopeVersion, validText(s.Version))
	content = appendSet(content, scopeAttribute, &s.Attributes)
	f := newFrame(scopeSpansScope, content, scopeSpansSchemaURL, s.SchemaURL)
	scopes.store(s, f)
	return f
}

func newFrame(field protowire.Number, content []byte, urlField protowire.Number, schemaURL string) frame {
	head := protowire.AppendTag(nil, field, protowire.BytesType)
	return frame{
		head: protowire.AppendBytes(head, content),
		tail: appendText(nil, urlField, validText(schemaURL)),
	}
}

func appendSet(dst []byte, field protowire.Number, set *attribute.Set) []byte {
	for iter := set.Iter(); iter.Next(); {
		kv := iter.Attribute()
		dst = appendAttribute(dst, field, &kv)
	}
	return dst
}

// frameCacheSize is how many frames a cache holds at most.
const frameCacheSize = 64

// frameCache is read for every span and written rarely: a reader takes the
// current map without a lock, a writer replaces it by a larger one. A full
// cache starts again empty, so that frames no longer in use do not stay.
type frameCache[K comparable] struct {
	mu     sync.Mutex // held by writers
	frames atomic.Pointer[map[K]frame]
}

func (c *frameCache[K]) load(key K) (frame, bool) {
	frames := c.frames.Load()
	if frames == nil {
		return frame{}, false
	}
	f, ok := (*frames)[key]
	return f, ok
}

func (c *frameCache[K]) store(key K, f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[K]frame)
	if old := c.frames.Load(); old != nil && len(*old) < frameCacheSize {
		maps.Copy(next, *old)
	}
	next[key] = f
	c.frames.Store(&next)
}
