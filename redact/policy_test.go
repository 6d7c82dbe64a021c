package redact_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/samples"
	"github.com/sessionspan/sessionspan/redact"
)

var salt = []byte("0123456789abcdef")

func hashOf(text string) string {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// TestActions does each of what can be done with what detectors and rules find.
func TestActions(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		options        []redact.Option
	}{
		{"mask", `{"a":"mail ann@example.org now"}`, `{"a":"mail [redacted:email] now"}`, nil},
		{"remove", `{"a":"mail ann@example.org now"}`, `{"a":"mail  now"}`, []redact.Option{redact.WithDetector(redact.Email, redact.Remove)}},
		{"hash", `{"a":"ANN@Example.org"}`, `{"a":"[redacted:email:` + hashOf("ann@example.org") + `]"}`, []redact.Option{redact.WithDetector(redact.Email, redact.Hash), redact.WithSalt(salt)}},
		{"hash of a card", `["4111 1111-1111 1111","4111-1111-1111-1111",4111111111111111]`, `["4111 1111-1111 1111","[redacted:card:` + hashOf("4111111111111111") + `]","[redacted:card:` + hashOf("4111111111111111") + `]"]`, []redact.Option{redact.WithDetector(redact.Card, redact.Hash), redact.WithSalt(salt)}},
		{"keep last", `{"a":"card 4111 1111 1111 1111."}`, `{"a":"card ****1111."}`, []redact.Option{redact.WithDetector(redact.Card, redact.KeepLast(4))}},
		{"keep last of what is short", `{"pin":"1234","a":"12345678"}`, `{"pin":"[redacted:pin]","a":"****5678"}`, []redact.Option{redact.WithKey("pin", redact.KeepLast(4)), redact.WithKey("a", redact.KeepLast(4))}},
		{"keep", `{"a":"ann@example.org 10.1.2.3"}`, `{"a":"ann@example.org [redacted:ip]"}`, []redact.Option{redact.WithDetector(redact.Email, redact.Keep)}},
		{"detectors off", `{"a":"ann@example.org","password":"x"}`, `{"a":"ann@example.org","password":"x"}`, []redact.Option{redact.WithoutDetectors()}},
		{"a key", `{"user":{"E-Mail":"none","age":7},"b":{"c":[1]}}`, `{"user":{"E-Mail":"[redacted:email]","age":"[redacted:age]"},"b":"[redacted:b]"}`, []redact.Option{redact.WithKey("email", redact.Mask), redact.WithKey("age", redact.Mask), redact.WithKey("b", redact.Mask)}},
		{"a path", `{"user":{"name":"a"},"name":"b","userName":"c","users":[{"user":{"name":"d"}}]}`, `{"user":{"name":"[redacted:user.name]"},"name":"b","userName":"[redacted:user.name]","users":[{"user":{"name":"[redacted:user.name]"}}]}`, []redact.Option{redact.WithKey("user.name", redact.Mask)}},
		{"a list on the way", `{"users":[{"name":"a"},{"name":"b"}]}`, `{"users":[{"name":"[redacted:users.name]"},{"name":"[redacted:users.name]"}]}`, []redact.Option{redact.WithKey("users.name", redact.Mask)}},
		{"a key is removed", `{"a":1,"ssn":"x","b":2}`, `{"a":1,"b":2}`, []redact.Option{redact.WithKey("ssn", redact.Remove)}},
		{"an exception", `{"note":"ann@example.org","from":"ann@example.org"}`, `{"note":"[redacted:email]","from":"ann@example.org"}`, []redact.Option{redact.WithKey("from", redact.Keep)}},
		{"the longest path", `{"a":{"x":1},"x":2}`, `{"a":{"x":1},"x":"[redacted:x]"}`, []redact.Option{redact.WithKey("x", redact.Mask), redact.WithKey("a.x", redact.Keep)}},
		{"null stays", `{"ssn":null,"password":null}`, `{"ssn":null,"password":null}`, []redact.Option{redact.WithKey("ssn", redact.Mask)}},
		{"order and digits", `{"z":1.50,"a":1e3,"m":[0.1,-0,12345678901234567890]}`, `{"z":1.50,"a":1e3,"m":[0.1,-0,12345678901234567890]}`, nil},
		{"a card is a number", `{"n":4111111111111111,"m":4111111111111112}`, `{"n":"[redacted:card]","m":4111111111111112}`, nil},
		{"keys that become the same", `{"ann@example.org":1,"bob@example.org":2}`, `{"[redacted:email]":1,"[redacted:email]#2":2}`, nil},
		{"names of credentials", `{"password":"hunter2","apiKey":"abc","token":"Hello","key":"color","total_tokens":5,"cookies":["a"],"key2":"Zx81kQp02mVt73Lw9Ra4"}`, `{"password":"[redacted:credential]","apiKey":"[redacted:credential]","token":"Hello","key":"color","total_tokens":5,"cookies":["a"],"key2":"[redacted:credential]"}`, nil},
		{"a schema", `{"properties":{"password":{"type":"string","description":"of the user"}}}`, `{"properties":{"password":{"type":"string","description":"of the user"}}}`, nil},
		{"JSON in a text", `{"args":"{\"to\":\"ann@example.org\",\"n\":1}"}`, `{"args":"{\"to\":\"[redacted:email]\",\"n\":1}"}`, nil},
		{"a rule in JSON in a text", `{"args":"{\"ssn\":\"1\"}"}`, `{"args":"{\"ssn\":\"[redacted:ssn]\"}"}`, []redact.Option{redact.WithKey("ssn", redact.Mask)}},
		{"a rule in a piece of JSON", `{"args":"{\"ssn\":\"1 2\",\"b"}`, `{"args":"{\"ssn\":\"[redacted:ssn]\",\"b"}`, []redact.Option{redact.WithKey("ssn", redact.Mask)}},
		{"escapes within what is found", samples.JSON("x \"client_secret\":\\u0020\"fZPiYqEwgtXyQk\" y"), samples.JSON("x \"client_secret\":[redacted:credential]\"[redacted:credential]\" y"), nil},
		{"a rule in a setting", `"ssn=12 name: Ann Smith\nok"`, `"ssn=[redacted:ssn] name: [redacted:name]\nok"`, []redact.Option{redact.WithKey("ssn", redact.Mask), redact.WithKey("name", redact.Mask)}},
		{"base64 is encoded again", `["YW5uQGV4YW1wbGUub3JnIGlzIGhlcmU="]`, `["W3JlZGFjdGVkOmVtYWlsXSBpcyBoZXJl"]`, nil},
		{"twice", `["[redacted:email] and [redacted:ssn]"]`, `["[redacted:email] and [redacted:ssn]"]`, []redact.Option{redact.WithKey("ssn", redact.Mask)}},
		{"no JSON", `{"a":"ann@example.org`, `"[redacted:failed]"`, nil},
		{"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), `"[redacted:failed]"`, nil},
		{"too deep in a text", samples.JSON([]string{strings.Repeat("[", 65) + `"x"` + strings.Repeat("]", 65)}), `["[redacted:failed]"]`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy(t, c.options...)
			if got := p.JSON("inputs", c.in); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestNesting puts a value into more texts in texts than are looked at: the innermost
// are masked, and the value is not in what is left.
func TestNesting(t *testing.T) {
	p := policy(t)
	for name, of := range map[string]func(string) string{
		"JSON":    func(s string) string { return samples.JSON(map[string]string{"a": s}) },
		"base64":  func(s string) string { return samples.Encodings[11].Of(s) },
		"percent": func(s string) string { return strings.ReplaceAll(samples.Percent(s), "%", "%25") },
	} {
		text := "ann@example.org"
		for range 14 {
			if text = of(text); len(text) > 1<<20 {
				break
			}
			got := p.Text("x", text)
			if samples.Leaks(got, "ann@example.org") {
				t.Errorf("%s: %.200s", name, got)
			}
		}
	}
}

// TestPaths finds rules by the path that a caller gives, for texts, numbers and names.
func TestPaths(t *testing.T) {
	p := policy(t, redact.WithKey("inputs.user.phone", redact.Mask), redact.WithKey("gone", redact.Remove))
	for _, path := range []string{"inputs.user.phone", "honeyhive_inputs.user.phone", "honeyhive_inputs.user.phone.0.x", "inputs.User_Phone", "x.inputs.user.phone"} {
		if got := p.Text(path, "abc"); got != "[redacted:inputs.user.phone]" {
			t.Errorf("%s: %s", path, got)
		}
	}
	for _, path := range []string{"outputs.user.phone", "inputs.user", "inputs.user.phonebook", "phone"} {
		if got := p.Text(path, "abc"); got != "abc" {
			t.Errorf("%s: %s", path, got)
		}
	}
	if !p.Removes("a.gone") || !p.Removes("gone.b") || p.Removes("a") || p.Number("a.gone", "1") != "" || p.Number("a", "1") != "1" {
		t.Error("rules for numbers")
	}
	if got := p.Object("gone", object(t, `{"a":1}`)).JSONText(); got != "{}" {
		t.Error(got)
	}
	masked := policy(t, redact.WithKey("inputs", redact.Mask))
	if got := masked.Object("honeyhive_inputs", object(t, `{"a":1}`)).JSONText(); got != `{"redacted":"[redacted:inputs]"}` {
		t.Error(got)
	}
	if got := p.Name("x.ann@example.org", "ann@example.org"); got != "[redacted:email]" {
		t.Error(got)
	}
}

func object(t *testing.T, text string) honeyhive.Object {
	t.Helper()
	o, err := honeyhive.ParseObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestFunc shows functions what stands where, and lets them change it.
func TestFunc(t *testing.T) {
	var seen []string
	p := policy(t, redact.WithFunc(nil, 0), redact.WithFunc(func(v redact.Value) string {
		seen = append(seen, fmt.Sprintf("%d %s=%s", v.Kind, v.Path, v.Text))
		switch {
		case v.Text == "Ann":
			return "[person]"
		case v.Kind == redact.Number && v.Path == "inputs.n.0":
			return "none"
		case v.Kind == redact.Key:
			return strings.ToUpper(v.Text)
		}
		return v.Text
	}, 0), redact.WithFunc(func(v redact.Value) string { return strings.ReplaceAll(v.Text, "[person]", "who@example.org") }, 0))
	got := p.JSON("inputs", `{"a":"Ann","n":[1,2],"s":"{\"b\":\"Ann\"}"}`)
	if want := `{"A":"[redacted:email]","N":["none",2],"S":"{\"B\":\"[redacted:email]\"}"}`; got != want {
		t.Errorf("got %s", got)
	}
	if want := `2 inputs.a=a,0 inputs.a=Ann,2 inputs.n=n,1 inputs.n.0=1,1 inputs.n.1=2,2 inputs.s=s,2 inputs.s.b=b,0 inputs.s.b=Ann`; strings.Join(seen, ",") != want {
		t.Errorf("seen %v", seen)
	}
}

// TestFuncThatFails masks what a function panics at, ends its goroutine at or does not
// return from, and nothing else.
func TestFuncThatFails(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic": func() { panic("no") }, "nil": func() { panic(error(nil)) }, "goexit": runtime.Goexit, "hang": func() { time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := policy(t, redact.WithFunc(func(v redact.Value) string {
					if strings.Contains(v.Text, "bad") {
						fail()
					}
					return v.Text
				}, time.Second))
				start := time.Now()
				if got, want := p.JSON("inputs", `{"a":"bad","b":"good","bad":1}`), `{"a":"[redacted:failed]","b":"good","[redacted:failed]":1}`; got != want {
					t.Errorf("got %s", got)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("took %v", took)
				}
				if got := p.Text("x", "bad"); got != "[redacted:failed]" {
					t.Errorf("got %s", got)
				}
				time.Sleep(2 * time.Hour) // what hangs ends
			})
		})
	}
}

// TestFuncThatHangs gives a function up that hangs again and again, until it does not.
func TestFuncThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		p := policy(t, redact.WithFunc(func(v redact.Value) string {
			if calls.Add(1); v.Text == "bad" {
				time.Sleep(time.Hour)
			}
			return v.Text
		}, time.Second))
		for range 30 {
			if got := p.Text("x", "bad"); got != "[redacted:failed]" {
				t.Fatal(got)
			}
		}
		if calls.Load() != 16 {
			t.Errorf("%d calls", calls.Load())
		}
		if got := p.Text("x", "good"); got != "[redacted:failed]" {
			t.Errorf("got %s while all hang", got)
		}
		time.Sleep(2 * time.Hour)
		if got := p.Text("x", "good"); got != "good" {
			t.Errorf("got %s when none hangs", got)
		}
	})
}

// TestNew names all that is wrong with the options.
func TestNew(t *testing.T) {
	_, err := redact.New(nil, redact.WithDetector("none", redact.Mask), redact.WithDetector(redact.Email, redact.Action(77)), redact.WithKey(" ", redact.Mask),
		redact.WithKey("a", redact.Action(-1)), redact.WithSalt([]byte("short")), redact.WithFunc(func(v redact.Value) string { return v.Text }, -1))
	if err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("%v", err)
	}
	if _, err := redact.New(redact.WithDetector(redact.Email, redact.Hash)); err == nil || !strings.Contains(err.Error(), "WithSalt") {
		t.Errorf("%v", err)
	}
	if _, err := redact.New(redact.WithKey("a", redact.Hash)); err == nil {
		t.Error("a hash without a salt")
	}
	for a, want := range map[redact.Action]string{redact.Mask: "mask", redact.Remove: "remove", redact.Hash: "hash", redact.Keep: "keep", redact.KeepLast(4): "keep last 4", redact.KeepLast(0): "mask", redact.Action(77): "Action(77)"} {
		if a.String() != want {
			t.Errorf("%v", a)
		}
	}
	secret := policy(t, redact.WithSalt(salt))
	if text := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret); strings.Contains(text, "0123") || strings.Contains(text, "[48 49") {
		t.Error(text)
	}
}

// TestNil uses a policy that is none.
func TestNil(t *testing.T) {
	var p *redact.Policy
	const address = "ann@example.org"
	s := &honeyhive.SessionStartRequest{Error: honeyhive.Some(address)}
	if p.Text("x", address) != address || p.JSON("x", address) != address || p.Name("x", address) != address || p.Number("x", "4111111111111111") != "4111111111111111" ||
		p.Session(s) != s || p.Event(nil) != nil || p.Update(nil) != nil || p.Removes("x") {
		t.Error("a nil policy redacts")
	}
	full := policy(t)
	if full.Session(nil) != nil || full.Event(nil) != nil || full.Update(nil) != nil || full.Text("x", "") != "" || full.JSON("x", "") != "" {
		t.Error("nil is not nil")
	}
}

// TestOffCostsNothing holds that a nil policy, and one that redacts nothing, allocate
// nothing.
func TestOffCostsNothing(t *testing.T) {
	text := prose(2 << 10)
	for name, p := range map[string]*redact.Policy{"nil": nil, "off": policy(t, redact.WithoutDetectors())} {
		if n := testing.AllocsPerRun(100, func() { p.Text("x", text); p.JSON("x", `{"a":1}`) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestUsedByMany redacts on many goroutines at once.
func TestUsedByMany(t *testing.T) {
	p := policy(t, redact.WithKey("ssn", redact.Mask))
	done := make(chan string)
	for range 8 {
		go func() {
			out := ""
			for range 200 {
				out = p.JSON("inputs", `{"ssn":"1","a":["ann@example.org","{\"ssn\":2}"]}`)
			}
			done <- out
		}()
	}
	for range 8 {
		if got := <-done; got != `{"ssn":"[redacted:ssn]","a":["[redacted:email]","{\"ssn\":\"[redacted:ssn]\"}"]}` || !json.Valid([]byte(got)) {
			t.Error(got)
		}
	}
}

// TestFunctionsSeeAllTexts shows functions what begins as JSON does and is none.
func TestFunctionsSeeAllTexts(t *testing.T) {
	p, err := redact.New(redact.WithoutDetectors(), redact.WithFunc(func(v redact.Value) string { return strings.ReplaceAll(v.Text, "CANARY", "x") }, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{CANARY}`, `[CANARY`, `"CANARY`, ` {"a":"CANARY"`, `{"a":"CANARY"}`, `["CANARY"]x`, "\ufeff[CANARY]", strings.Repeat("[", 100) + "CANARY", `"{CANARY}"`, `{"a":"{CANARY"}`} {
		if got := p.Text("x", text); strings.Contains(got, "CANARY") {
			t.Errorf("%q is left of %q", got, text)
		}
	}
}

// TestPhonesInOnePiece are told by what stands before them.
func TestPhonesInOnePiece(t *testing.T) {
	p := policy(t)
	for text, found := range map[string]bool{
		"dial 00491512345678 now": true, "tel. 01512345678": true, "Phone: 2125550142": true, "call 12125550142!": true, "mobile=01512345678": true,
		"id 2125550142": false, "at 1717171717 s": false, "hotel 2125550142 guests": false, "phone 3 and 2125550142": false, "call 1234567": false, "0000000012345678": false,
		"001234567890123": false, "tel 0000000000": false,
	} {
		if got := p.Text("x", text); strings.Contains(got, "[redacted:phone]") != found {
			t.Errorf("%q became %q", text, got)
		}
	}
	for key, found := range map[string]bool{"phone": true, "user.tel": true, "mobile_number": true, "id": false, "hotel": false} {
		if got := p.Text(key, "2125550142"); strings.Contains(got, "redacted") != found {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// TestNamesInValues finds the value of a name that the value before it ends with.
func TestNamesInValues(t *testing.T) {
	p := policy(t)
	for _, text := range []string{
		"https://api.test/v1?q=X-API-Key%3A+SrXrvKR2RZBM8#X-API-Key:%20SrXrvKR2RZBM8", "password=abc123#password: SrXrvKR2RZBM8", "password=abc123/secret= SrXrvKR2RZBM8",
	} {
		if got := p.Text("x", text); strings.Contains(got, "SrXrvKR2RZBM8") {
			t.Errorf("%q became %q", text, got)
		}
	}
}
