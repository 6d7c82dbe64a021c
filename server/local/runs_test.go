package local

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// evaluated sends two runs by the API: of the second the first case is worse, the second
// better, and the third is new.
func evaluated(t *testing.T, url string) (sessions map[string]string) {
	t.Helper()
	sessions = make(map[string]string)
	for i, a := range []struct {
		run, point, more string
		score            float64
	}{
		{"base", "a", `,"cost":0.5`, 0.75}, {"base", "b", "", 0.25},
		{"now", "a", `,"cost":0.125,"prompt_tokens":7`, 0.5}, {"now", "b", "", 0.75}, {"now", "c", "", 1},
	} {
		id := honeyhive.NewUUID().String()
		sessions[a.run+" "+a.point] = id
		body := fmt.Sprintf(`{"session":{"session_id":"%s","session_name":"T/%[2]s","project":"p","source":"s","start_time":%d,"duration":%d,"inputs":{"q":"%[2]s"},"metrics":{"overlap":%[5]v,"cites":%[6]v},
			"metadata":{"run_id":"%[7]s","run_name":"T","dataset_id":"D","datapoint_id":"%[2]s","baseline_run_id":"base"%[8]s}}}`, id, a.point, 1000+i, 10*(i+1), a.score, a.score > 0.5, a.run, a.more)
		res, err := http.Post(url+"/session/start", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v: %s", res.Status, err, answer)
		}
	}
	return sessions
}

func TestRunsAPI(t *testing.T) {
	s := start(t)
	ask := func(path string) (status int, body string, parsed map[string]any) {
		t.Helper()
		res, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if closing := res.Body.Close(); err != nil || closing != nil {
			t.Fatal(err, closing)
		}
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatalf("%s: %v: %s", path, err, text)
		}
		return res.StatusCode, string(text), parsed
	}
	if _, body, _ := ask("/api/runs"); body != `{"runs":[]}` {
		t.Errorf("of an empty store: %s", body)
	}
	sessions := evaluated(t, s.URL())
	same := func(path, want string) {
		t.Helper()
		status, body, got := ask(path)
		for name, id := range sessions {
			want = strings.ReplaceAll(want, "<"+name+">", id)
		}
		var parsed map[string]any
		if err := json.Unmarshal([]byte(want), &parsed); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parsed, got); diff != "" || status != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s\n%s", path, status, diff, body)
		}
	}
	now := `"run_id":"now","run_name":"T","dataset_id":"D","baseline_run_id":"base","project":"p","source":"s","start_time":1002,"end_time":1054,"cases":3,"attempts":3,"errors":0,"running":0,
		"prompt_tokens":7,"cost":0.125,"cost_currency":"USD","duration_p50_ms":40,"duration_p90_ms":50,
		"metrics":[{"name":"cites","scored":3,"cases":3,"mean":0.6666666666666666,"worst":0,"pass_rate":0.6666666666666666},{"name":"overlap","scored":3,"cases":3,"mean":0.75,"worst":0.5}]`
	base := `"run_id":"base","run_name":"T","dataset_id":"D","baseline_run_id":"base","project":"p","source":"s","start_time":1000,"end_time":1021,"cases":2,"attempts":2,"errors":0,"running":0,
		"cost":0.5,"cost_currency":"USD","duration_p50_ms":10,"duration_p90_ms":20,
		"metrics":[{"name":"cites","scored":2,"cases":2,"mean":0.5,"worst":0,"pass_rate":0.5},{"name":"overlap","scored":2,"cases":2,"mean":0.5,"worst":0.25}]`
	same("/api/runs", `{"runs":[{`+now+`},{`+base+`}]}`)
	same("/api/runs?run_name=T&dataset_id=D&limit=100", `{"runs":[{`+now+`},{`+base+`}]}`)
	same("/api/runs?run_name=x", `{"runs":[]}`)
	_, _, first := ask("/api/runs?limit=1")
	same("/api/runs?limit=1&after="+url.QueryEscape(fmt.Sprint(first["next"])), `{"runs":[{`+base+`}]}`)

	compared := `"compared_cases":2,"changed_cases":0,"new_cases":1,"gone_cases":0,"resamples":10000,"differences":[
		{"name":"cites","cases":2,"mean":0.5,"was":0.5,"difference":0,"better":1,"worse":1,"same":0,"verdict":"no clear difference"},
		{"name":"overlap","cases":2,"mean":0.625,"was":0.5,"difference":0.125,"better":1,"worse":1,"same":0,"verdict":"no clear difference"}]`
	same("/api/run?id=now", `{"run":{`+now+`},"against":{`+base+`},`+compared+`}`)
	same("/api/run?id=now&against=base", `{"run":{`+now+`},"against":{`+base+`},`+compared+`}`)
	same("/api/run?id=now&against=", `{"run":{`+now+`},"compared_cases":0,"changed_cases":0,"new_cases":0,"gone_cases":0,"differences":[]}`)

	a := `{"datapoint_id":"a","scores":{"cites":0,"overlap":0.5},"attempts":[{"session_id":"<now a>","status":"ok","duration_ms":30,"scores":{"cites":0,"overlap":0.5}}],"differences":{"cites":-1,"overlap":-0.25},"against":[{"session_id":"<base a>","status":"ok","duration_ms":10,"scores":{"cites":1,"overlap":0.75}}]}`
	b := `{"datapoint_id":"b","scores":{"cites":1,"overlap":0.75},"attempts":[{"session_id":"<now b>","status":"ok","duration_ms":40,"scores":{"cites":1,"overlap":0.75}}],"differences":{"cites":1,"overlap":0.5},"against":[{"session_id":"<base b>","status":"ok","duration_ms":20,"scores":{"cites":0,"overlap":0.25}}]}`
	c := `{"datapoint_id":"c","scores":{"cites":1,"overlap":1},"attempts":[{"session_id":"<now c>","status":"ok","duration_ms":50,"scores":{"cites":1,"overlap":1}}]}`
	same("/api/run/cases?id=now", `{"total":3,"cases":[`+a+`,`+b+`,`+c+`]}`)
	same("/api/run/cases?id=now&metric=overlap&sort=difference&dir=desc", `{"total":3,"cases":[`+b+`,`+a+`,`+c+`]}`)
	same("/api/run/cases?id=now&sort=case&skip=1&limit=1", `{"total":3,"cases":[`+b+`]}`)
	same("/api/run/cases?id=now&skip=40000", `{"total":3,"cases":[]}`)
	same("/api/run/cases?id=now&metric=overlap&show=worse", `{"total":1,"cases":[`+a+`]}`)
	same("/api/run/cases?id=now&show=new", `{"total":1,"cases":[`+c+`]}`)

	for path, want := range map[string]int{
		"/api/run": 404, "/api/run?id=none": 404, "/api/run?id=now&against=none": 404, "/api/run/cases?id=none": 404, "/api/run/cases?id=now&sort=x": 400, "/api/run/cases?id=now&show=x": 400,
		"/api/run/cases?id=now&limit=0": 400, "/api/run/cases?id=now&skip=-1": 400, "/api/run/cases?id=now&limit=1e3": 400, "/api/runs?limit=1000": 400, "/api/runs?after=x": 400,
	} {
		if status, body, parsed := ask(path); status != want || parsed["success"] != false || parsed["error"] == "" {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
	// The baseline that is not there is named.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL()+"/v1/sessions/"+sessions["base a"], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"base a", "base b"} {
		req.URL.Path = "/v1/sessions/" + sessions[name]
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode/100 != 2 {
			t.Fatal(res.Status, err)
		}
	}
	same("/api/run?id=now", `{"run":{`+now+`},"missing_run_id":"base","compared_cases":0,"changed_cases":0,"new_cases":0,"gone_cases":0,"differences":[]}`)
}
