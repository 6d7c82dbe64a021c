package llmhttp

// An elements takes a JSON array apart as it is pushed through, into its
// elements. It keeps what is not complete yet, up to a limit; an element that is
// longer is skipped and counted.
type elements struct {
	buffer capture // what is not complete of an element
	// emit is given each element. The bytes are good until it returns.
	emit func(event string, data []byte)

	nest           nesting
	opened, closed bool // the brackets of the array were read
	held           bool // an element has begun
	skipped        int  // elements that were too long, or that the end cut
}

func (e *elements) write(p []byte) {
	for i := 0; i < len(p) && !e.closed; {
		if !e.held {
			switch c := p[i]; {
			case !e.opened:
				e.opened = c == '['
			case c == ']':
				e.closed = true
			case c > ' ' && c != ',':
				e.held = true
				continue
			}
			i++
			continue
		}
		n, ended := e.nest.element(p[i:])
		e.buffer.write(p[i : i+n])
		if i += n; ended {
			e.finish()
		}
	}
}

func (e *elements) finish() {
	if e.buffer.cut {
		e.skipped++
	} else {
		e.emit("", e.buffer.b)
	}
	e.buffer.reset()
	e.held, e.nest = false, nesting{}
}

func (e *elements) end() {
	if e.held {
		e.skipped++
		e.held = false
	}
}

func (e *elements) unread() int { return e.skipped }

// nesting follows the brackets of a text that should be JSON.
type nesting struct {
	depth             int
	inString, escaped bool
	started           bool // a bracket was opened
}

// step follows a byte.
func (n *nesting) step(c byte) {
	switch {
	case n.escaped:
		n.escaped = false
	case n.inString:
		n.escaped, n.inString = c == '\\', c != '"'
	case c == '"':
		n.inString = true
	case c == '{' || c == '[':
		n.depth++
		n.started = true
	case c == '}' || c == ']':
		n.depth--
	}
}

// element returns how many bytes belong to the element of an array that is open,
// and whether it ends with them.
func (n *nesting) element(p []byte) (int, bool) {
	for i, c := range p {
		if n.depth == 0 && !n.inString && (c == ',' || c == ']') {
			return i, true
		}
		n.step(c)
		if n.started && n.depth == 0 {
			return i + 1, true
		}
	}
	return len(p), false
}
