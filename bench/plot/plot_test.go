package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	c := Chart{Title: "a < b", XAxis: "x", YAxis: "y", Lines: []Line{
		{"first", []Point{{1, 10, 9, 11, false}, {1000, 20, 19, 21, true}}},
		{"second", []Point{{1, 10, 10, 10, false}, {1000, 20, 20, 20, false}}},
		{"empty", nil},
	}}
	text := c.SVG()
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &lt; b", ">1 k<", ">first<", ">second<"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if bytes.Contains(text, []byte("NaN")) || bytes.Contains(new(Chart).SVG(), []byte("NaN")) {
		t.Error("there is a NaN in it")
	}
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		v, down, up float64
	}{{3, 2, 5}, {1, 1, 1}, {0.07, 0.05, 0.1}, {900, 500, 1000}} {
		if got := round(c.v, false); got != c.down {
			t.Errorf("%v downwards: got %v, want %v", c.v, got, c.down)
		}
		if got := round(c.v, true); got != c.up {
			t.Errorf("%v upwards: got %v, want %v", c.v, got, c.up)
		}
	}
}
