// The list of sessions: the brush of the histogram, suggestions of the filters, keys.
import { follow, onKey } from "./keys.mjs";
import { live } from "./live.mjs";
import { saved } from "./saved.mjs";
import { selection } from "./selection.mjs";

export function list() {
	saved(); // first, since it takes room above the rows
	selection();
	live(brush);
	brush();
	suggestions();
	cursor();
	restore();
	wide();
	onKey("n", () => follow("#new:not([hidden])"));
}

const rows = (root) => [...(root.getElementById("sessions")?.tBodies[0].rows ?? [])];

// brush lets the reader choose a range of time by dragging.
function brush() {
	const figure = document.getElementById("histogram");
	if (!figure?.dataset.path) return;
	const svg = figure.querySelector("svg");
	const mark = document.getElementById("brush");
	const { from, to, path } = figure.dataset;
	let start = null;
	const at = (e) => {
		const box = svg.getBoundingClientRect();
		return Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1);
	};
	const draw = (a, b) => {
		mark.setAttribute("x", 1440 * Math.min(a, b));
		mark.setAttribute("width", 1440 * Math.abs(b - a));
	};
	svg.addEventListener("pointerdown", (e) => {
		if (e.button === 0) start = at(e);
	});
	svg.addEventListener("dragstart", (e) => e.preventDefault());
	svg.addEventListener("pointermove", (e) => {
		if (start === null || (!figure.dataset.busy && Math.abs(at(e) - start) < 0.004)) return;
		if (!figure.dataset.busy) svg.setPointerCapture(e.pointerId);
		figure.dataset.busy = "yes";
		draw(start, at(e));
	});
	svg.addEventListener("pointerup", (e) => {
		const end = at(e);
		const dragged = figure.dataset.busy;
		const begin = start;
		start = null;
		delete figure.dataset.busy;
		if (!dragged) return;
		const time = (part) => new Date(Number(from) + part * (Number(to) - Number(from))).toISOString().slice(0, -1);
		const url = new URL(path, location.href);
		url.searchParams.set("from", time(Math.min(begin, end)));
		url.searchParams.set("to", time(Math.max(begin, end)));
		location.assign(url);
	});
	svg.addEventListener("pointercancel", () => {
		start = null;
		delete figure.dataset.busy;
		draw(0, 0);
	});
	// The bars are one stop of the tab key: arrows lead from one to the next.
	svg.addEventListener("keydown", (e) => {
		const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
		const bars = [...svg.querySelectorAll("a")];
		const at = bars.indexOf(document.activeElement);
		const next = bars[at + by];
		if (!next) return;
		e.preventDefault();
		bars[at].setAttribute("tabindex", -1);
		next.setAttribute("tabindex", 0);
		next.focus();
	});
	// The end of a drag is no click on a bar.
	svg.addEventListener("click", (e) => Number(mark.getAttribute("width")) > 0 && e.preventDefault(), true);
}

// suggestions fills the lists of the filters when one is first used.
function suggestions() {
	for (const input of document.querySelectorAll("input[data-facet]")) {
		input.addEventListener(
			"focus",
			async () => {
				const response = await fetch(`/facets?by=${input.dataset.facet}`);
				if (!response.ok) return;
				const options = document.createElement("datalist");
				options.id = `facet-${input.dataset.facet}`;
				for (const value of await response.json()) {
					const option = document.createElement("option");
					option.value = value;
					options.append(option);
				}
				input.after(options);
				input.setAttribute("list", options.id);
			},
			{ once: true },
		);
	}
}

// point makes a row the one that keys start from.
function point(row) {
	for (const other of document.querySelectorAll("tr.current")) other.classList.remove("current");
	row.classList.add("current");
	row.querySelector("a.open").focus({ preventScroll: true });
	row.scrollIntoView({ block: "nearest" });
}

// restore leads the reader who comes back to the row that was opened, at the
// place where it was.
function restore() {
	const here = () => location.pathname + location.search;
	addEventListener("pagehide", () => {
		const row = document.activeElement.closest("tr") ?? document.querySelector("tr.current");
		sessionStorage.setItem("sessionspan-list", JSON.stringify({ url: here(), row: row?.id, y: scrollY }));
	});
	const left = JSON.parse(sessionStorage.getItem("sessionspan-list") ?? "{}");
	const again = left.url === here();
	const back = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
	const row = location.hash.startsWith("#s-") ? location.hash.slice(1) : again && back ? left.row : null;
	if (!row) return;
	if (again) scrollTo(0, left.y);
	const found = document.getElementById(row);
	if (found) point(found);
	if (location.hash) history.replaceState(null, "", here());
}

// wide makes a row as a whole lead where its name does.
function wide() {
	const go = (e) => {
		const row = e.target.closest("#sessions tbody tr");
		if (!row || e.defaultPrevented || e.target.closest("a, button, input") || !getSelection().isCollapsed) return;
		const link = row.querySelector("a.open");
		if (e.button === 1 || e.ctrlKey || e.metaKey || e.shiftKey) open(link.href, "_blank", "noopener");
		else if (e.button === 0) link.click();
	};
	document.addEventListener("click", go);
	document.addEventListener("auxclick", go);
}

// cursor moves along the rows.
function cursor() {
	const move = (by) => () => {
		const all = rows(document);
		if (all.length === 0) return;
		const at = all.findIndex((r) => r.classList.contains("current"));
		point(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
	};
	onKey("j", move(1));
	onKey("k", move(-1));
	onKey("Enter", (e) => !e.target.closest("a, button, summary") && follow("tr.current a.open"));
}
