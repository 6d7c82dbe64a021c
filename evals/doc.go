// Package evals evaluates pipelines of language models as Go tests: under go test,
// without an account and without a key, with every attempt a session.
//
//	func TestAnswers(t *testing.T) {
//		evals.Run(t, evals.Suite[string, Answer]{
//			Cases: evals.Load[string, Answer]("testdata/answers.jsonl"),
//			Task:  func(ctx context.Context, q string) (Answer, error) { return ask(ctx, q) },
//			Score: []evals.Scorer[string, Answer]{
//				evals.Bool("cites", func(r *evals.Result[string, Answer]) bool { return len(r.Output.Sources) > 0 }),
//				evals.TokenOverlap[string](func(a Answer) string { return a.Text }),
//				evals.Tools[string, Answer]("search", "answer"),
//			},
//			Require: []evals.Gate{evals.Mean("overlap").AtLeast(0.8), evals.PassRate("cites").AtLeast(0.95), evals.NoWorse("overlap", 0.02)},
//			Times: 3, Parallel: 4,
//		})
//	}
//
// # What happens
//
// Each case is tried [Suite.Times] times, each attempt in a subtest named after the
// case (and the number of the attempt, where there are several), so that -run, -v,
// -json and -failfast mean what they always do. The task runs in the context of a
// session; what it records there, by the package sessionspan, by llmhttp or by any
// other OpenTelemetry tracer on the same provider, is in [Result.Session] for the
// scorers: what was retrieved, which tools were called, what the prompts were. A
// session that the task starts itself is in there too.
//
// Attempts do not fail: answers of models vary, and one bad one says little. What the
// suite requires are gates on all scores together, which fail the surrounding test.
// [Scorer.Must] is for what must hold in every attempt. A task that returns an error, or
// panics, has an attempt with an error, which scorers see; [Succeeds] makes it a score.
//
// # Where the sessions go
//
// To wherever the environment says, as those of [sessionspan.New] do: to HoneyHive, a
// sessionspan server (HH_API_URL=http://127.0.0.1:4318), or a collector. Without a
// destination they stay in memory. A session has what went in as its inputs, what came
// out as its outputs, what was expected as feedback.ground_truth, the scores as metrics
// and, on its span, as events gen_ai.evaluation.result of the GenAI conventions; and in
// its metadata, as each of its events, run_id, datapoint_id and dataset_id. The metadata
// of the session has run_name besides, the name of the test, datapoint_name, that of the
// case, and baseline_run_id where the baseline says of which run it is; these go before
// what [Case.Metadata] has under their names. Sessions that the task starts itself have
// attempt_session_id in place of these.
//
// [Report] makes a run of HoneyHive of it.
//
// # What is told
//
// A table at the end, in the log of the test (-v, or where it fails). For machines,
// go test -json has these attributes ([testing.T.Attr]): of an attempt
// sessionspan.session, its address or id, and score.NAME; of the test sessionspan.run,
// the address of its page or its run_id, and mean.NAME. With -artifacts the attempts are
// in the file attempts.jsonl. [Bench] is for benchstat.
//
// The table ends with a link to the page of the run, which has its scores by case beside
// those of the baseline or another run: where [Suite.Page] names a server, or where a
// sessionspan server on this machine has taken the sessions, which is asked what it is.
//
// # Baselines
//
// The flag -evals.update writes testdata/evals/TestName.json, to be kept with the
// test: the scores of each attempt, and the run_id. [NoWorse] compares with it, and says how. The flag
// is defined in test binaries alone, by the packages that import this one; go test
// passes it to all packages it is given, so name those that have it.
//
// # Models without a network
//
// llmhttp.Replay answers calls of models from files that -llmhttp.record writes: the
// suite then needs no key, costs nothing, and comes out the same each time.
//
// # Bounds
//
// -short leaves a suite out unless [Suite.Short] is set. The contexts of tasks end at
// [Suite.Timeout], and in time before -timeout: the summary then says what did not
// run, and the gates fail. A task that does nothing costs less than a millisecond.
package evals
