// The list while it is open: rows and sums that follow the store. Rows that are shown
// change in their place; what is new waits behind a button, so that nothing moves under
// the reader's hand. Only what has changed is asked for, and the server is asked again
// after a hundred times as long as its last answer took it: so one open list costs it
// little of its time, however many sessions there are and whatever is searched for.
import { load, replace, say, stream } from "./fetch.mjs";
import { onKey } from "./keys.mjs";
import { patch } from "./patch.mjs";
import { chosen, keepChosen } from "./selection.mjs";

const patience = 100;
let seq; // the change up to which the rows are known
let changed = new Map(); // the sessions that have changed since, and whether they were deleted
let all = false; // any may have changed
const fresh = new Set(); // rows of this page of the list that are not shown
let shown = () => {}; // what is to be done with sums that were replaced

// live keeps the list true, and calls back when it has replaced the histogram.
export function live(replaced) {
	shown = replaced;
	seq = document.body.dataset.seq;
	const box = document.getElementById("live");
	const words = { on: "Live", lost: "Connecting…", off: "Paused" };
	const state = (s) => {
		if (!box) return;
		box.dataset.state = s;
		document.getElementById("live-state").textContent = words[s];
	};
	const source = stream(seq, note, state);
	if (document.getElementById("late")) sums();
	if (!box) {
		source.go();
		return;
	}
	const button = document.getElementById("pause");
	const set = (paused) => {
		box.dataset.paused = paused;
		button.textContent = paused ? "Go on" : "Pause";
		if (paused) source.pause();
		else source.go();
	};
	set(box.dataset.paused === "true");
	const toggle = (e) => {
		e?.preventDefault();
		const paused = box.dataset.paused !== "true";
		const url = new URL(location.href);
		if (paused) url.searchParams.set("paused", "1");
		else url.searchParams.delete("paused");
		history.replaceState(null, "", url);
		set(paused);
	};
	button.addEventListener("click", toggle);
	onKey("p", () => toggle());
	document.getElementById("new").addEventListener("click", (e) => {
		e.preventDefault();
		showNew();
	});
}

// spaced returns a function that does some work at once, or once the pause after the
// last time is over. The work returns how long the server took for it.
function spaced(least, work) {
	let busy = false;
	let again = false;
	const run = async () => {
		again = busy;
		if (busy) return;
		busy = true;
		let took = 0;
		try {
			took = await work();
		} catch {
			// The next change, or the next connection, brings it.
		}
		setTimeout(() => {
			busy = false;
			if (again) run();
		}, Math.max(least, patience * took));
	};
	return run;
}

const rows = (root) => [...(root.getElementById("sessions")?.tBodies[0].rows ?? [])];
const took = (part) => Number(part.dataset.took);
const here = (...pairs) => {
	const url = new URL(location.href);
	for (const [name, value] of pairs) url.searchParams.append(name, value);
	return url.href;
};

const refresh = spaced(1000, async () => {
	const [known, any] = [changed, all];
	changed = new Map();
	all = false;
	try {
		return await (any || !document.getElementById("sessions") ? whole() : part(known));
	} catch (err) {
		changed = new Map([...known, ...changed]);
		all ||= any;
		throw err;
	}
});

const sums = spaced(2000, async () => {
	const next = await load(here(["sums", "only"]));
	showSums(next);
	return took(next.getElementById("sums"));
});

function note(sessions) {
	if (sessions) for (const [id, deleted] of sessions) changed.set(id, deleted);
	else all = true;
	refresh();
	if (document.getElementById("figures")) sums();
}

// part asks for what has changed.
async function part(known) {
	const ids = [...known.keys()];
	const mine = ids.filter((id) => document.getElementById(`s-${id}`));
	const first = document.getElementById("sessions").dataset.first === "true";
	if (mine.length === 0 && !first) return 0;
	const next = await load(here(["changed", seq], ...mine.map((id) => ["row", id])));
	const table = next.getElementById("sessions");
	seq = table.dataset.seq;
	put(rows(next));
	for (const id of ids) {
		const row = `s-${id}`;
		if (!next.getElementById(row) && (known.get(id) || mine.includes(id))) {
			document.getElementById(row)?.remove();
			fresh.delete(row);
		}
	}
	count();
	return took(table);
}

// whole asks for the list as it is now, where it is not known what has changed, or there
// are no rows.
async function whole() {
	const began = performance.now();
	const next = await load(location.href);
	const listed = (root) => Boolean(root.getElementById("sessions"));
	if (!listed(document) || !listed(next)) {
		if (listed(document) !== listed(next) || (document.getElementById("empty") === null) !== (next.getElementById("empty") === null)) location.reload();
		else replace(next, "rejected");
	} else {
		seq = next.body.dataset.seq;
		put(rows(next));
		count();
	}
	return (performance.now() - began) / 10; // most of it is the browser's own
}

// put makes the rows that are shown what they are by now, and notes those that are not.
function put(list) {
	for (const row of list) {
		const old = document.getElementById(row.id);
		if (!old) fresh.add(row.id);
		else if (old.dataset.seq !== row.dataset.seq) patch(old, row);
	}
}

function count() {
	const button = document.getElementById("new");
	const first = document.getElementById("sessions").dataset.first === "true";
	button.hidden = !first || fresh.size === 0;
	if (button.hidden) return;
	const text = `${fresh.size < 100 ? fresh.size : "100+"} new`;
	if (button.textContent === text) return;
	button.textContent = text;
	say(`${text} sessions`);
}

function showSums(next) {
	replace(next, "figures");
	if (!document.querySelector("#histogram[data-busy]") && replace(next, "histogram")) shown();
}

// showNew shows the list as it is now.
async function showNew() {
	let next;
	try {
		next = await load(location.href);
	} catch {
		return; // the button is still there
	}
	if (!next.getElementById("sessions")) {
		location.reload();
		return;
	}
	const known = new Set(rows(document).map((r) => r.id));
	const kept = chosen();
	document.getElementById("sessions").tBodies[0].replaceChildren(
		...rows(next).map((row) => {
			const made = document.importNode(row, true);
			made.classList.toggle("fresh", !known.has(row.id));
			return made;
		}),
	);
	keepChosen(rows(document), kept);
	seq = next.body.dataset.seq;
	if (!next.getElementById("late")) showSums(next);
	fresh.clear();
	count();
	scrollTo(0, 0);
	setTimeout(() => document.querySelectorAll("tr.fresh").forEach((r) => r.classList.remove("fresh")), 1500);
}
