package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/sessionspan/sessionspan/store"
)

// applicationID marks the file as ours in its header: "sspn".
const applicationID = 0x7373706e

// A migration brings a file from one version to the next.
type migration struct {
	// rows changes what is stored, in transactions of its own. Where it is
	// interrupted it is done anew.
	rows       func(w *writer, ctx context.Context) error
	statements string // these are carried out as a whole
}

// migrations make the schema, step by step. The version of a file is how many
// it has seen. A step that was released is never changed.
var migrations = []migration{{statements: schema1}, {statements: schema2}, {rows: (*writer).boundAll}, {statements: schema4}, {rows: (*writer).findAttempts}, {statements: schema6}, {statements: schemaFacts}, {statements: schemaUnused}}

// Ids are UUIDs of 16 bytes. Times of payloads are Unix milliseconds, of writes
// Unix nanoseconds (those of sessions: milliseconds); durations are milliseconds, costs units of 1e-9.
const schema1 = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('expired', 0);

-- What is known of each id. Kind: 0 updates that wait, 1 session, 2 event.
-- Session and seq are where the row of an event is. Layers are null where rank,
-- at and payload say all, or nothing is known but events (rank -1).
CREATE TABLE record (
	pk INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	kind INTEGER NOT NULL,
	session INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	at INTEGER NOT NULL,
	received INTEGER NOT NULL,
	layers BLOB,
	payload BLOB
);
CREATE INDEX record_waiting ON record (id) WHERE kind = 0;
-- From what the search finds to its session, past the payloads.
CREATE INDEX record_session ON record (pk, session);

-- The rows of the events of a session are neighbours, in the order of change.
-- Row is what a viewer sees of one, sample what a plot does; the other columns
-- are what totals are made from anew.
CREATE TABLE event (
	session INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	pk INTEGER NOT NULL,
	id BLOB NOT NULL,
	type TEXT NOT NULL,
	model TEXT NOT NULL,
	start_time REAL,
	end_time REAL,
	duration REAL,
	first_token REAL,
	received INTEGER NOT NULL,
	project TEXT NOT NULL,
	source TEXT NOT NULL,
	sample BLOB NOT NULL,
	row BLOB NOT NULL,
	PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE INDEX event_model ON event (session, model, sample) WHERE type = 'model';

-- Moment is the start, or when the first of it was received. Models have a line
-- break before and after each. Parts are what the other columns are made from.
CREATE TABLE session (
	pk INTEGER PRIMARY KEY,
	id BLOB NOT NULL,
	seq INTEGER NOT NULL,
	moment REAL NOT NULL,
	last_sign REAL NOT NULL,
	project TEXT NOT NULL,
	source TEXT NOT NULL,
	user TEXT NOT NULL,
	name TEXT NOT NULL,
	models TEXT NOT NULL,
	status TEXT NOT NULL,
	error TEXT NOT NULL,
	question TEXT NOT NULL,
	answer TEXT NOT NULL,
	start_time REAL,
	end_time REAL,
	duration REAL,
	tokens_in INTEGER,
	tokens_out INTEGER,
	tokens INTEGER,
	cost INTEGER,
	first_token REAL,
	rating REAL,
	feedback INTEGER NOT NULL,
	received REAL NOT NULL,
	events INTEGER NOT NULL,
	model_events INTEGER NOT NULL,
	tool_events INTEGER NOT NULL,
	chain_events INTEGER NOT NULL,
	errors INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	sample BLOB NOT NULL,
	parts BLOB NOT NULL
);
-- The first index has all that filters, orders and plots look at, so that they
-- read no rows; the others are for an order without a filter, and for a filter
-- alone.
CREATE INDEX session_moment ON session (moment, id, project, source, user, models, status, duration, tokens, cost, rating, feedback, errors, name, seq, sample);
CREATE INDEX session_project ON session (project, moment, id);
CREATE INDEX session_source ON session (source, moment, id);
CREATE INDEX session_user ON session (user, moment, id);
CREATE INDEX session_status ON session (status, moment, id);
CREATE INDEX session_duration ON session (ifnull(duration, -1), id);
CREATE INDEX session_tokens ON session (ifnull(tokens, -1), id);
CREATE INDEX session_cost ON session (ifnull(cost, -1), id);
CREATE INDEX session_errors ON session (errors, id);
CREATE INDEX session_name ON session (name, id);
CREATE INDEX session_last_sign ON session (last_sign, id);
CREATE UNIQUE INDEX session_seq ON session (seq);

-- Sessions that were deleted, until there are too many.
CREATE TABLE deleted (seq INTEGER PRIMARY KEY, id BLOB NOT NULL);

-- The words of payloads by the key of their record; they are not kept a second
-- time. Unindexed are the records that it does not have as they are.
CREATE VIRTUAL TABLE search USING fts5 (words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2");
CREATE TABLE unindexed (pk INTEGER PRIMARY KEY);
`

// Texts of more than a step are kept in parts, so that no transaction is long:
// the column of such a text has the key of a body (body.go). The indexes find the
// extremes of a session without a walk through its events.
const schema2 = `
-- The key is that of the body, and in its lowest 12 bits the number of the part.
CREATE TABLE body (key INTEGER PRIMARY KEY, part BLOB NOT NULL);
-- Bodies that no record has: not yet, or no longer.
CREATE TABLE loose (body INTEGER PRIMARY KEY);
-- Sessions that were deleted, whose events are yet to be.
CREATE TABLE doomed (session INTEGER PRIMARY KEY);

-- The index does not merge its segments in the midst of a write: the writer has it
-- do so in steps (search.go). One is written anew when so many percent of it are
-- deleted: what is deleted is read, but not counted as part of a step.
INSERT INTO search (search, rank) VALUES ('automerge', 0);
INSERT INTO search (search, rank) VALUES ('deletemerge', 60);

CREATE INDEX event_start ON event (session, start_time);
CREATE INDEX event_end ON event (session, coalesce(end_time, start_time + ifnull(duration, 0)));
CREATE INDEX event_received ON event (session, received);
CREATE INDEX event_project ON event (session, project);
CREATE INDEX event_source ON event (session, source);
CREATE INDEX event_first_token ON event (session, ifnull(start_time, 1.7976931348623157e308), id, first_token) WHERE type = 'model' AND first_token IS NOT NULL;
`

// Sessions that are part of others, and counts that each event adds to once. All
// sessions of a file of an earlier version are stale: they are computed anew in the
// background (count.go), in Go, while the store answers.
const schema4 = `
-- Joins, and which session each one that came of a trace is part of: itself, or
-- another. Parts are those of the row of a session that has none. Times are Unix
-- milliseconds, those of traces that may be silent, which have no events, Unix nanoseconds.
CREATE TABLE joined (
	origin BLOB NOT NULL,
	target BLOB NOT NULL,
	trace BLOB NOT NULL,
	text TEXT NOT NULL,
	weak INTEGER NOT NULL,
	title TEXT NOT NULL,
	project TEXT NOT NULL,
	source TEXT NOT NULL,
	owned INTEGER NOT NULL,
	unannounced INTEGER NOT NULL,
	below INTEGER NOT NULL,
	start REAL NOT NULL,
	span BLOB NOT NULL,
	speaks INTEGER NOT NULL,
	PRIMARY KEY (trace, origin, target, text, weak, title, project, source, owned, unannounced)
) WITHOUT ROWID;
CREATE INDEX joined_target ON joined (target, trace);
CREATE INDEX joined_origin ON joined (origin);
CREATE TABLE home (
	origin BLOB PRIMARY KEY,
	target BLOB NOT NULL,
	trace BLOB NOT NULL,
	choice BLOB NOT NULL,
	parts BLOB
) WITHOUT ROWID;
CREATE INDEX home_target ON home (target, origin);
CREATE TABLE edge (span BLOB PRIMARY KEY, parent BLOB, trace BLOB NOT NULL, step BLOB) WITHOUT ROWID;
CREATE INDEX edge_trace ON edge (trace);
CREATE INDEX edge_step ON edge (trace, span) WHERE step IS NOT NULL;
CREATE TABLE silent (trace BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX silent_at ON silent (at, trace);

-- Sessions that are to be computed anew.
CREATE TABLE stale (pk INTEGER PRIMARY KEY);
INSERT INTO stale SELECT pk FROM session;
-- Calls of models, each counted once, and what counting them all came to.
ALTER TABLE session ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN rootless INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN backwards INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN counted BLOB;
UPDATE session SET calls = model_events;
`

// What costs came to: see cost.go, which makes all sessions stale that have any.
const schema6 = `
-- What of the cost was derived, and what is in other currencies or has no price.
ALTER TABLE session ADD COLUMN derived INTEGER;
ALTER TABLE session ADD COLUMN costs BLOB;
`

// Parts of texts that no record has, one by one: a text shares parts with the one that
// it replaces (contents.go).
const schemaUnused = `
CREATE TABLE unused (key INTEGER PRIMARY KEY);
INSERT INTO unused SELECT key FROM loose JOIN body ON key BETWEEN body << 12 AND (body << 12) + 4095;
DROP TABLE loose;
`

// migrate brings the schema of a file to the present version.
func (w *writer) migrate(ctx context.Context) error {
	conn := w.conn
	var id, version, tables int
	row := conn.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`)
	if err := row.Scan(&id, &version, &tables); err != nil {
		return err
	}
	if tables > 0 && id != applicationID {
		return fmt.Errorf("it is the database of another program: %w", store.ErrCorrupt)
	}
	if version > len(migrations) {
		return fmt.Errorf("its schema has version %d, this program knows %d: %w", version, len(migrations), store.ErrNewerSchema)
	}
	if tables == 0 {
		// These hold only when set before anything is written.
		if err := execAll(ctx, conn, `PRAGMA page_size = 8192`, `PRAGMA auto_vacuum = incremental`, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
			return err
		}
	}
	if err := execAll(ctx, conn, `PRAGMA journal_mode = wal`, `PRAGMA synchronous = full`); err != nil {
		return err
	}
	for v := version; v < len(migrations); v++ {
		if err := w.step(ctx, migrations[v], v+1); err != nil {
			return fmt.Errorf("migrate to version %d: %w", v+1, err)
		}
	}
	return nil
}

func (w *writer) step(ctx context.Context, m migration, version int) error {
	if m.rows != nil {
		if err := m.rows(w, ctx); err != nil {
			return err
		}
	}
	return execAll(ctx, w.conn, `BEGIN IMMEDIATE`, m.statements+fmt.Sprintf(`PRAGMA user_version = %d`, version), `COMMIT`)
}

func execAll(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
