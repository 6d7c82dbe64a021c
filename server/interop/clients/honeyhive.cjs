// The package honeyhive: a session with events, an update, and what is read
// back; then a session of its tracer, whose spans go by OTLP. Prints what the
// client got as one line of JSON.
const { HoneyHive, HoneyHiveTracer } = require("honeyhive");

const url = process.argv[2];
const project = "interop";
const source = "test";

async function main() {
  const client = new HoneyHive({ bearerAuth: "any", serverURL: url });
  const { sessionId } = await client.session.startSession({
    session: {
      project, source, sessionName: "Playground Session", startTime: 1712025501605, endTime: 1712025502605,
      inputs: { question: "Why?" }, outputs: { role: "assistant", content: "Because." }, userProperties: { user: "ann" },
    },
  });
  const event = {
    project, source, sessionId, eventName: "retrieve", eventType: "tool", config: { index: "bm25" }, inputs: { query: "Why?" },
    outputs: { documents: [{ id: "d1", score: 0.5 }] }, duration: 12.5, startTime: 1712025501700,
  };
  const { eventId } = await client.events.createEvent({ event });
  const batch = await client.events.createEventBatch({
    events: [
      { ...event, eventName: "one", parentId: eventId },
      { ...event, eventName: "two", parentId: eventId, error: "no luck", startTime: event.startTime + 1 },
    ],
  });
  const single = await client.events.createEventBatch({
    events: [{ ...event, sessionId: undefined, eventName: "three" }],
    isSingleSession: true,
    sessionProperties: { sessionName: "batch", source },
  });
  const model = await client.events.createModelEvent({
    modelEvent: {
      project, source, model: "m-1", provider: "openai", duration: 5, cost: 0.01, eventName: "answer",
      messages: [{ role: "user", content: "Why?" }], response: { role: "assistant", content: "Because." },
      usage: { prompt_tokens: 3, completion_tokens: 2 }, hyperparameters: { temperature: 0.5 },
    },
  });
  await client.events.updateEvent({ eventId, metadata: { cost: 0.5 }, feedback: { rating: 5 } });
  await client.events.updateEvent({ eventId: sessionId, metrics: { words: 1 } });
  const session = await client.session.getSession(sessionId);
  const found = await client.events.getEvents({
    project,
    filters: [
      { field: "session_id", operator: "is", value: sessionId, type: "id" },
      { field: "event_type", operator: "is", value: "tool", type: "string" },
    ],
  });
  let refused = "";
  try {
    await client.events.updateEvent({ eventId: "7f22137a-6911-4ed3-bc36-110f1dde6b66", metadata: { a: 1 } });
  } catch (error) {
    refused = `${error.statusCode}`;
  }

  const tracer = await HoneyHiveTracer.init({
    apiKey: "any", project, source, sessionName: "traced", serverUrl: url, disableBatch: true,
  });
  const ask = tracer.traceChain(async function ask(question) { return `${question} Because.`; });
  await tracer.trace(async () => { await ask("Why?"); });
  await tracer.flush();

  console.log(JSON.stringify({ sessionId, eventId, batch, single, model, session, found, refused, traced: tracer.sessionId }));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
