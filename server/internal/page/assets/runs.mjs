// The list of experiments and one of them: live rows, keys.
import { load, say, stream } from "./fetch.mjs";
import { follow, onKey } from "./keys.mjs";
import { patch } from "./patch.mjs";

export function runs() {
	live();
	cursor();
	wide();
	onKey("Escape", () => follow("#close") || follow("#back"));
	onKey("w", () => follow("#show-worse"));
	onKey("b", () => follow("#show-better"));
	const form = document.getElementById("against");
	form?.querySelector("select").addEventListener("change", () => form.requestSubmit());
}

// live keeps the page true. A run may be large, so the page is asked for again only
// after five times as long as that took.
function live() {
	let busy = false;
	let again = false;
	const refresh = async () => {
		again = busy;
		if (busy) return;
		busy = true;
		const start = performance.now();
		try {
			const next = (await load(location.href)).getElementById("main");
			// What the reader is about to choose stays.
			if (next) patch(document.getElementById("main"), next, (node) => node.id === "against" && node.contains(document.activeElement));
			say("");
		} catch {
			// The next change, or the next connection, brings it.
		}
		setTimeout(() => {
			busy = false;
			if (again) refresh();
		}, Math.max(1000, 5 * (performance.now() - start)));
	};
	stream(document.body.dataset.seq, refresh, () => {}).go();
}

const rows = () => [...(document.querySelector("table.walk")?.tBodies[0].rows ?? [])];

function point(row) {
	for (const other of document.querySelectorAll("tr.current")) other.classList.remove("current");
	row.classList.add("current");
	row.querySelector("a.open").focus({ preventScroll: true });
	row.scrollIntoView({ block: "nearest" });
}

function cursor() {
	const move = (by) => () => {
		const all = rows();
		if (all.length === 0) return;
		const at = all.findIndex((r) => r.classList.contains("current"));
		point(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
	};
	onKey("j", move(1));
	onKey("k", move(-1));
	onKey("Enter", (e) => !e.target.closest("a, button, summary, select") && follow("tr.current a.open"));
	const chosen = document.querySelector("table.walk tr.chosen");
	if (chosen) chosen.classList.add("current");
}

// wide makes a row as a whole lead where its name does.
function wide() {
	document.addEventListener("click", (e) => {
		const row = e.target.closest("table.walk tbody tr");
		if (!row || e.defaultPrevented || e.button !== 0 || e.target.closest("a, button") || !getSelection().isCollapsed) return;
		row.querySelector("a.open").click();
	});
}
