// Package tail decides of sessions whether they are delivered, when it is known how they
// ended: tail sampling.
//
// What is recorded of a session that is undecided is held here, once for all
// destinations, so that each of them gets the whole session or nothing of it. A session
// whose root runs in this process is decided when the root ends, or as soon as it is
// certain that it is kept. Of a session whose root is elsewhere the process knows its own
// part alone: that is decided when nothing of the session runs here any more.
//
// What comes after a decision follows it, for as long as the decision is remembered.
package tail
