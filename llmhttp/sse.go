package llmhttp

import "bytes"

// A splitter takes a stream apart as it is pushed through: server-sent events, as
// in section 9.2 of the HTML standard, and JSON that stands between them or in
// place of them, over one line or more. It keeps what is not complete yet, up to a
// limit; what is longer is skipped and counted.
//
// Errors come into streams of events as they would come alone: as JSON, or under
// the field "error". The standard lets a client ignore them; here they are read.
type splitter struct {
	line capture // what is not complete of a line; its limit is that of events
	// emit is given each event. The bytes are good until it returns.
	emit func(event string, data []byte)
	// document is given JSON that is no event. The bytes are good until it returns.
	document func(data []byte)
	// repeats reads events that are as the last one was, from the beginning of an
	// event on. It returns how long they are together, and whether all that follows
	// is the beginning of another one. It may be nil.
	repeats func(p []byte) (n int, begun bool)

	tail []byte // the beginning of an event that may be as the last one was

	held    bool // line holds something
	event   string
	data    []byte
	hasData bool
	looked  int     // how much of data was looked at to see whether it is whole
	inData  nesting // at the end of that
	skip    bool    // a part of the event was too long
	afterCR bool    // a line ended with CR: an LF that follows is part of it
	begun   bool    // the first line is behind us
	skipped int     // events that were too long

	loose []byte  // of JSON that is not complete
	nest  nesting // of loose
	stray []byte  // the beginning of what is none of this
}

// mostStray is how many bytes are kept of what is no event.
const mostStray = 512

// write takes the next bytes of the stream, and does not keep p.
func (s *splitter) write(p []byte) {
	if len(s.tail) > 0 && len(p) > 0 {
		p = s.join(p)
	}
	s.lines(p, s.repeats != nil)
}

// mostTail is how many bytes of an event are kept as they are.
const mostTail = blobFrom

// join reads the line whose beginning was kept, with the empty one behind it, and
// returns what follows.
func (s *splitter) join(p []byte) []byte {
	end := 0
	switch i := lineEnd(p); {
	case s.tail[len(s.tail)-1] == '\n':
		if p[0] == '\n' {
			end = 1
		}
	case i < 0 || i == len(p)-1 && p[i] == '\n':
		if len(s.tail)+len(p) <= mostTail {
			s.tail = append(s.tail, p...)
			return nil
		}
	case i <= mostTail:
		if end = i + 1; p[i] == '\n' && p[end] == '\n' {
			end++
		}
	}
	s.tail = append(s.tail, p[:end]...)
	s.endTail()
	return p[end:]
}

// endTail reads what was kept of an event.
func (s *splitter) endTail() {
	s.lines(s.tail, false)
	s.tail = s.tail[:0]
}

// lines reads the next bytes of the stream. keep says that the beginning of an
// event at their end may be kept as it is.
func (s *splitter) lines(p []byte, keep bool) {
	for len(p) > 0 {
		if s.afterCR {
			s.afterCR = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		if s.repeats != nil && !s.held && !s.hasData && s.event == "" && !s.skip && s.nest.depth == 0 {
			n, begun := s.repeats(p)
			p = p[n:]
			if begun && keep {
				s.tail = append(s.tail, p...)
				return
			}
			if len(p) == 0 {
				return
			}
		}
		i := lineEnd(p)
		if i < 0 {
			s.hold(p)
			return
		}
		s.afterCR = p[i] == '\r'
		if line := p[:i]; s.held || len(line) >= min(s.line.long(), s.line.limit) {
			s.hold(line)
			s.endHeld()
		} else {
			s.endLine(line)
		}
		p = p[i+1:]
	}
}

// lineEnd returns the index of the first CR or LF.
func lineEnd(p []byte) int {
	i := bytes.IndexByte(p, '\n')
	if j := bytes.IndexByte(p[:last(i, len(p))], '\r'); j >= 0 {
		return j
	}
	return i
}

// hold keeps a part of a line.
func (s *splitter) hold(p []byte) {
	s.held = true
	s.line.write(p)
}

func (s *splitter) endHeld() {
	s.endLine(s.line.b)
	s.line.reset()
	s.held = false
}

func (s *splitter) endLine(line []byte) {
	if !s.begun {
		s.begun = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	switch {
	case s.nest.depth > 0 && !eventField(line):
		s.bare(line)
	case len(line) == 0:
		s.dispatch()
	case line[0] != 'd' && line[0] != 'e' && jsonStart(line):
		s.bare(line)
	default:
		s.field(line)
	}
}

// jsonStart reports whether a line starts with an object or a list.
func jsonStart(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && (line[0] == '{' || line[0] == '[')
}

// eventField reports whether a line is a field of an event, which no line of JSON
// looks like.
func eventField(line []byte) bool {
	return hasPrefix(line, "data:") || hasPrefix(line, "event:")
}

// bare takes a line of JSON that stands between events.
func (s *splitter) bare(line []byte) {
	if len(s.loose) > 0 && s.loose[0] == '{' && line0(line) == '{' && balanced(line) {
		s.dropBare() // whose end is missing: a line of JSON follows
	}
	if s.line.cut || len(s.loose)+len(line)+1 > s.line.limit {
		s.dropBare()
		return
	}
	for _, c := range line {
		s.nest.step(c)
	}
	if s.loose = append(append(s.loose, line...), '\n'); s.nest.depth > 0 {
		return
	}
	s.document(s.loose)
	s.loose, s.nest = s.loose[:0], nesting{}
}

// line0 returns the first byte of a line, and 0 of an empty one.
func line0(line []byte) byte {
	if len(line) == 0 {
		return 0
	}
	return line[0]
}

// balanced reports whether a line closes all brackets that it opens.
func balanced(line []byte) bool {
	var n nesting
	for _, c := range line {
		n.step(c)
	}
	return n.depth == 0 && !n.inString
}

// dropBare gives up JSON that is too long or does not end.
func (s *splitter) dropBare() {
	s.skipped++
	s.loose, s.nest = s.loose[:0], nesting{}
}

func (s *splitter) field(line []byte) {
	if s.nest.depth > 0 {
		s.dropBare()
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	if s.hasData && (string(name) == "data" || string(name) == "event") && s.whole() {
		s.dispatch() // the server leaves out the empty line, and clients read line by line
	}
	switch string(name) {
	case "data":
		if s.line.cut || len(s.data)+len(value)+1 > s.line.limit {
			s.skip, s.data, s.looked = true, s.data[:0], 0
			return
		}
		if s.hasData {
			s.data = append(s.data, '\n')
		}
		s.data = append(s.data, value...)
		s.hasData = true
	case "event":
		if !s.line.cut && len(value) <= 256 {
			s.event = string(value)
		}
	case "error":
		if !s.line.cut {
			s.emit("error", value)
		}
	case "", "id", "retry":
	default:
		if n := min(len(line), mostStray-len(s.stray)); n > 0 {
			s.stray = append(s.stray, line[:n]...)
		}
	}
}

// whole reports whether the data of the event is a whole object or list, to which
// nothing can be added.
func (s *splitter) whole() bool {
	for _, c := range s.data[s.looked:] {
		s.inData.step(c)
	}
	s.looked = len(s.data)
	return jsonStart(s.data) && s.inData.depth == 0 && !s.inData.inString
}

func (s *splitter) dispatch() {
	switch {
	case s.skip:
		s.skipped++
	case s.hasData:
		s.emit(s.event, s.data)
	case s.event == "error" && len(s.stray) > 0: // a text without a field
		s.emit(s.event, s.stray)
	}
	s.event, s.data, s.hasData, s.skip = "", s.data[:0], false, false
	s.looked, s.inData = 0, nesting{}
}

// end takes what is left at the end of the stream for complete: servers forget
// the last empty line.
func (s *splitter) end() {
	s.endTail()
	if s.held {
		s.endHeld()
	}
	s.dispatch()
	if len(s.loose) > 0 {
		s.dropBare()
	}
	s.data = nil
}

func (s *splitter) unread() int { return s.skipped }
