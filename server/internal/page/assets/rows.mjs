// Rows of the tree and the time line of a session of any size: only those in
// sight are built, of one height, and their data is loaded in pages as they come
// near. An event that is closed hides the events below it; since these follow it
// in the list, what is in sight is the list without a few ranges.
import { onKey } from "./keys.mjs";

const height = 28;
const pageSize = 1000;
const spare = 12; // rows built beyond each edge
const svgNS = "http://www.w3.org/2000/svg";
// The places of a row's values; see rowsJSON on the server.
const [ID, DEPTH, BELOW, NAME, TYPE, START, TOOK, FLAGS, IN, OUT, COST, FIRST, ERRORS] = Array(13).keys();
const failed = 1;
const orphan = 2;
const unended = 4;

export function virtual(grid, open) {
	const view = grid.dataset.view;
	const body = grid.querySelector(".body");
	const total = Number(grid.dataset.total);
	const pages = new Map();
	const loading = new Map();
	let span = 1;
	let closed = []; // [event, how many rows it hides], by event, none inside another
	let shown = new Map();
	let current = Math.max(Number(grid.dataset.focus), 0);
	let chosen = new URL(location.href).searchParams.get("event");

	const hiddenRows = () => closed.reduce((n, [, rows]) => n + rows, 0);
	const count = () => total - hiddenRows();
	// index of the row at a visible place, and back.
	const indexAt = (place) => {
		let index = place;
		for (const [event, rows] of closed) {
			if (event >= index) break;
			index += rows;
		}
		return index;
	};
	const placeOf = (index) => {
		let place = index;
		for (const [event, rows] of closed) {
			if (event >= index) break;
			place -= Math.min(rows, index - event);
		}
		return place;
	};
	const data = (index) => pages.get(Math.floor(index / pageSize))?.rows[index % pageSize];
	const nameOf = (index, at) => pages.get(Math.floor(index / pageSize)).names[at];

	function fetchPage(page) {
		if (pages.has(page) || page * pageSize >= total || page < 0) return Promise.resolve();
		if (!loading.has(page)) {
			const ask = fetch(`${grid.dataset.data}?from=${page * pageSize}&n=${pageSize}`)
				.then((response) => {
					if (!response.ok) throw new Error(String(response.status));
					return response.json();
				})
				.then((part) => {
					span = part.span;
					pages.set(page, part);
					// What is far away is let go.
					if (pages.size > 40) pages.delete(pages.keys().next().value);
				})
				.finally(() => loading.delete(page));
			loading.set(page, ask);
		}
		return loading.get(page);
	}

	let frame = 0;
	const layout = () => {
		frame ||= requestAnimationFrame(paint);
	};

	function paint() {
		frame = 0;
		body.style.height = `${count() * height}px`;
		grid.style.setProperty("--rows-height", `${Math.max((count() + 1) * height + 2, 120)}px`);
		const top = Math.max(Math.floor(grid.scrollTop / height) - spare, 0);
		const end = Math.min(Math.ceil((grid.scrollTop + grid.clientHeight) / height) + spare, count());
		const next = new Map();
		const missing = new Set();
		for (let place = top; place < end; place++) {
			const index = indexAt(place);
			const row = data(index);
			if (!row) missing.add(Math.floor(index / pageSize));
			const old = shown.get(index);
			const node = old && old.filled === Boolean(row) ? old : { element: build(index, row), filled: Boolean(row) };
			node.element.style.transform = `translateY(${place * height}px)`;
			next.set(index, node);
		}
		for (const [index, node] of shown) if (next.get(index) !== node) node.element.remove();
		for (const [index, node] of next) {
			if (shown.get(index) !== node) body.append(node.element);
			node.element.classList.toggle("current", index === current);
			node.element.classList.toggle("chosen", node.element.dataset.event === chosen);
		}
		shown = next;
		grid.setAttribute("aria-activedescendant", `row-${current}`);
		for (const page of missing) fetchPage(page).then(layout, () => setTimeout(layout, 2000));
	}

	function make(name, classes, text) {
		const node = document.createElement(name);
		node.className = classes;
		if (text !== undefined) node.textContent = text;
		return node;
	}
	function shape(classes, values) {
		const node = document.createElementNS(svgNS, "rect");
		node.setAttribute("class", classes);
		for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
		return node;
	}
	function cell(classes, text) {
		const node = make("span", classes, text);
		node.setAttribute("role", "gridcell");
		return node;
	}

	function build(index, row) {
		const element = make("div", "row");
		element.setAttribute("role", "row");
		element.setAttribute("aria-rowindex", index + 1);
		element.id = `row-${index}`;
		element.dataset.index = index;
		if (!row) {
			element.append(cell("name muted", "…"));
			return element;
		}
		element.dataset.event = row[ID];
		element.setAttribute("aria-level", row[DEPTH] + 1);
		element.append(name(index, row, element));
		if (view === "tree") {
			element.append(
				cell("kind", row[TYPE]),
				cell("num", took(row)),
				cell("num", row[IN] === null && row[OUT] === null ? "–" : `${short(row[IN])} / ${short(row[OUT])}`),
				cell("num", row[COST] === null ? "–" : cost(row[COST])),
				cell(row[ERRORS] ? "num bad" : "num", row[ERRORS] || ""),
			);
		} else element.append(cell("num", took(row)), bar(row));
		return element;
	}

	function name(index, row, element) {
		const node = cell("name");
		const indent = document.createElementNS(svgNS, "svg");
		indent.setAttribute("class", "indent");
		indent.setAttribute("width", Math.min(row[DEPTH], 24) * 16 + 20);
		indent.setAttribute("height", 1);
		node.append(indent);
		if (row[BELOW] > 0) {
			const isClosed = closed.some(([event]) => event === index);
			element.setAttribute("aria-expanded", !isClosed);
			const fold = make("button", "fold", isClosed ? "▸" : "▾");
			fold.type = "button";
			fold.tabIndex = -1;
			fold.setAttribute("aria-label", isClosed ? `Show ${row[BELOW]} events below` : `Hide ${row[BELOW]} events below`);
			node.append(fold);
		}
		const dot = make("i", `dot ${row[TYPE]}${row[FLAGS] & failed ? " error" : ""}`);
		dot.setAttribute("aria-hidden", true);
		const link = make("a", "open");
		const url = new URL(location.href);
		url.searchParams.set("event", row[ID]);
		url.searchParams.delete("from");
		url.hash = "detail";
		link.href = url;
		link.tabIndex = -1;
		link.append(make("bdi", "", nameOf(index, row[NAME]) || "(no name)"));
		node.append(dot, link);
		if (row[FLAGS] & failed) node.append(make("span", "tag bad", "error"));
		if (row[FLAGS] & orphan) node.append(make("span", "tag", "waits for its parent"));
		if (row[FLAGS] & unended) node.append(make("span", "tag", "open"));
		return node;
	}

	function bar(row) {
		const node = cell("axis");
		const svg = document.createElementNS(svgNS, "svg");
		svg.setAttribute("viewBox", "0 0 1000 14");
		svg.setAttribute("preserveAspectRatio", "none");
		svg.setAttribute("role", "img");
		svg.setAttribute("aria-label", `starts at ${duration(row[START])}${row[FIRST] === null ? "" : `, first token after ${duration(row[FIRST])}`}`);
		const x = Math.min((row[START] / span) * 1000, 998);
		const width = Math.max((row[TOOK] / span) * 1000, 2);
		svg.append(shape(`bar ${row[TYPE]}${row[FLAGS] & failed ? " error" : ""}${row[FLAGS] & unended ? " unended" : ""}`, { x, y: 1, width, height: 12 }));
		if (row[FIRST] !== null) {
			const first = Math.max(((row[START] + row[FIRST]) / span) * 1000, x);
			svg.append(shape("waiting", { x, y: 1, width: first - x, height: 12 }), shape("first", { x: first, y: 0, width: 3, height: 14 }));
		}
		node.append(svg);
		return node;
	}

	const took = (row) => (row[FLAGS] & unended ? "–" : duration(row[TOOK]));

	async function toggle(index, close) {
		await fetchPage(Math.floor(index / pageSize));
		const row = data(index);
		if (!row || row[BELOW] === 0) return;
		const isClosed = closed.some(([event]) => event === index);
		if (close === isClosed) return;
		if (isClosed) closed = closed.filter(([event]) => event !== index);
		else {
			// What was closed below opens with it: ranges never lie in each other.
			closed = closed.filter(([event]) => event < index || event > index + row[BELOW]);
			closed.push([index, row[BELOW]]);
			closed.sort((a, b) => a[0] - b[0]);
		}
		for (const node of shown.values()) node.element.remove();
		shown = new Map();
		layout();
	}

	function moveTo(index) {
		current = Math.min(Math.max(index, 0), total - 1);
		const top = placeOf(current) * height;
		const head = height; // the row of heads covers the first
		if (top < grid.scrollTop) grid.scrollTop = top;
		else if (top + height > grid.scrollTop + grid.clientHeight - head) grid.scrollTop = top + height - grid.clientHeight + head;
		layout();
	}
	const step = (by) => () => moveTo(indexAt(Math.min(Math.max(placeOf(current) + by, 0), count() - 1)));

	async function nextError(by) {
		for (let i = current + by; i >= 0 && i < total; i += by) {
			await fetchPage(Math.floor(i / pageSize));
			const row = data(i);
			if (row && row[FLAGS] & failed) {
				closed = closed.filter(([event, rows]) => i <= event || i > event + rows);
				moveTo(i);
				return;
			}
		}
	}

	function start() {
		grid.classList.add("virtual");
		body.replaceChildren();
		document.getElementById("row-pages").hidden = true;
		grid.addEventListener("scroll", layout, { passive: true });
		new ResizeObserver(layout).observe(grid);
		body.addEventListener("click", (e) => {
			const row = e.target.closest(".row");
			if (!row) return;
			current = Number(row.dataset.index);
			if (e.target.closest(".fold")) {
				e.preventDefault();
				toggle(current);
			} else if (!e.target.closest("a")) row.querySelector("a")?.click();
			layout();
		});
		moveTo(current);
		if (Number(grid.dataset.focus) >= 0) grid.scrollTop = Math.max(current * height - grid.clientHeight / 2, 0);
		const from = Number(grid.dataset.from);
		if (Number(grid.dataset.focus) < 0 && from > 0) {
			current = from;
			grid.scrollTop = from * height;
		}
		paint();
	}

	const enter = () => {
		const row = data(current);
		if (!row) return;
		const url = new URL(location.href);
		url.searchParams.set("event", row[ID]);
		open(url.href);
	};
	for (const [key, action] of Object.entries({
		j: step(1),
		k: step(-1),
		ArrowDown: step(1),
		ArrowUp: step(-1),
		Home: () => moveTo(0),
		End: () => moveTo(indexAt(count() - 1)),
		h: () => toggle(current, true),
		l: () => toggle(current, false),
		ArrowLeft: () => toggle(current, true),
		ArrowRight: () => toggle(current, false),
		e: () => nextError(1),
		E: () => nextError(-1),
	})) {
		const arrow = key.length > 1;
		onKey(key, (e) => {
			if (arrow && !grid.contains(e.target)) return false;
			action();
		});
	}
	onKey("Enter", (e) => {
		if (e.target !== grid && e.target !== document.body) return false;
		enter();
	});
	start();
	return {
		layout,
		choose(id) {
			chosen = id;
			layout();
		},
	};
}

function duration(ms) {
	if (ms < 10 && !Number.isInteger(ms)) return `${ms.toFixed(1)} ms`;
	if (ms < 1000) return `${ms.toFixed(0)} ms`;
	if (ms < 60000) return `${(ms / 1000).toFixed(2)} s`;
	const s = Math.round(ms / 1000);
	if (ms < 3600000) return `${Math.floor(s / 60)} min ${s % 60} s`;
	return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

function short(n) {
	if (n === null) return "–";
	if (n < 10000) return n.toLocaleString("en");
	if (n < 1e6) return `${trim((n / 1e3).toFixed(1))}k`;
	return `${trim((n / 1e6).toFixed(1))}M`;
}

const trim = (s) => s.replace(/\.?0+$/, "");
const cost = (v) => (v === 0 ? "0" : v >= 100 ? v.toFixed(0) : v >= 1 ? v.toFixed(2) : trim(v.toFixed(5)));
