package honeyhive

// Names of the span attributes that stand for the fields of a payload. A span
// of any OpenTelemetry tracer that carries them is understood.
//
// These are read by HoneyHive's OTLP endpoint. Each bucket (inputs, outputs and
// so on) may be written in two ways, also in a mix: as one attribute with the
// name below that holds a JSON object, or as one attribute for each key, with
// the name, a dot and the key, which is the form HoneyHive itself reads.
const (
	AttrSessionID         = "honeyhive.session_id"          // UUID of the session; on every span
	AttrSessionAutoCreate = "honeyhive.session_auto_create" // bool, true; without it HoneyHive takes the span and shows it nowhere
	AttrSessionName       = "honeyhive.session_name"
	AttrProject           = "honeyhive.project"
	AttrSource            = "honeyhive.source"

	AttrEventType = "honeyhive_event_type" // model, tool, chain; session makes the span the root of a session
	AttrEventName = "honeyhive_event_name" // the span's name when it is missing
	AttrEventID   = "honeyhive_event_id"   // UUID; EventID of the span when it is missing
	AttrError     = "honeyhive_error"

	AttrConfig         = "honeyhive_config"
	AttrInputs         = "honeyhive_inputs"
	AttrOutputs        = "honeyhive_outputs"
	AttrMetadata       = "honeyhive_metadata"
	AttrMetrics        = "honeyhive_metrics"
	AttrFeedback       = "honeyhive_feedback"
	AttrUserProperties = "honeyhive_user_properties"
)

// These are this library's own, for what HoneyHive derives or does not read.
const (
	AttrParentID    = "honeyhive_parent_id"    // UUID of the event above, or of the session; derived from the parent span when missing
	AttrChildrenIDs = "honeyhive_children_ids" // string array of UUIDs
	AttrDuration    = "honeyhive_duration"     // float, milliseconds; end minus start when missing

	// AttrSessionContinued is true on spans of a process that joined a session
	// which another process started, and on those of a turn of a conversation: nobody
	// here will end the session.
	AttrSessionContinued = "honeyhive.session_continued"

	// AttrTurn is true on the span of a turn of a conversation: a chain event directly
	// below the session, of whose turns the session is made.
	AttrTurn = "honeyhive.turn"

	// AttrLeftOut is true on spans that a filter of the program has left out: they
	// are no events, whatever else they say.
	AttrLeftOut = "honeyhive.left_out"

	// AttrWithoutContent is true on spans of other tracers that ran where the program
	// wants no content to leave.
	AttrWithoutContent = "honeyhive.without_content"
)
