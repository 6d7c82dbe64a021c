// Rows of the tree and the time line of a session of any size: only those in
// sight are built, of one height, and their data is loaded in pages as they come
// near. An event that is closed hides the events below it; since these follow it
// in the list, what is in sight is the list without a few ranges.
import { onKey } from "./keys.mjs";
import { patch } from "./patch.mjs";

const height = 28;
const pageSize = 1000;
const spare = 12; // rows built beyond each edge
const svgNS = "http://www.w3.org/2000/svg";
// The places of a row's values; see rowsJSON on the server.
const [ID, DEPTH, BELOW, NAME, TYPE, START, TOOK, FLAGS, IN, OUT, COST, FIRST, ERRORS, , KIND, WHY, SELF, PATH] = Array(18).keys();
const failed = 1;
const unended = 4;
const backwards = 8;

export function virtual(grid, open) {
	const view = grid.dataset.view;
	const body = grid.querySelector(".body");
	let total = Number(grid.dataset.total);
	let version = 0; // counts what update brought
	let folds = 0; // counts what the reader opened and closed
	let reveal = false; // the current row is to be seen, wherever the window is scrolled
	const pages = new Map();
	const loading = new Map();
	let span = 1;
	const zoomed = grid.dataset.zoom !== undefined && new URL(location.href).searchParams.has("zoom");
	// The part of the time that fills the width: what the address says, or all of it.
	const part = () => (zoomed ? grid.dataset.zoom.split(" ").map(Number) : [0, span]);
	let closed = []; // [event, how many rows it hides, its id], by event, none inside another
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
			const asked = version;
			const ask = fetch(`${grid.dataset.data}?from=${page * pageSize}&n=${pageSize}`)
				.then((response) => {
					if (!response.ok) throw new Error(String(response.status));
					return response.json();
				})
				.then((part) => {
					if (asked !== version) return;
					span = part.span;
					pages.set(page, part);
					// What is far away is let go.
					if (pages.size > 40) pages.delete(pages.keys().next().value);
				})
				.finally(() => asked === version && loading.delete(page));
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
		grid.style.setProperty("--rows-height", `${(count() + 1) * height + 2}px`);
		const top = Math.max(Math.floor(grid.scrollTop / height) - spare, 0);
		const end = Math.min(Math.ceil((grid.scrollTop + grid.clientHeight) / height) + spare, count());
		const next = new Map();
		const missing = new Set();
		const wanted = [];
		for (let place = top; place < end; place++) {
			const index = indexAt(place);
			const row = data(index);
			if (!row) missing.add(Math.floor(index / pageSize));
			const old = shown.get(index);
			shown.delete(index);
			if (old && old.row === row) next.set(index, old);
			else wanted.push([index, row, old]);
		}
		// Rows that went out of sight are filled anew: building is what takes time.
		const free = [...shown.values()];
		const link = new URL(location.href);
		link.searchParams.delete("from");
		link.hash = "detail";
		for (const [index, row, old] of wanted) {
			const node = old ?? free.pop() ?? build();
			fill(node, index, row, link);
			next.set(index, node);
			if (!node.element.isConnected) body.append(node.element);
		}
		for (const node of free) node.element.remove();
		for (const [index, node] of next) {
			node.element.style.transform = `translateY(${placeOf(index) * height}px)`;
			node.element.classList.toggle("current", index === current);
			node.element.classList.toggle("chosen", Boolean(node.row) && node.row[ID] === chosen);
		}
		shown = next;
		grid.setAttribute("aria-activedescendant", `row-${current}`);
		if (reveal) shown.get(current)?.element.scrollIntoView({ block: "nearest" });
		reveal = false;
		clearTimeout(rest);
		rest = setTimeout(order, 100);
		// A fast scroll passes many pages: what is asked for is what is in sight
		// when an answer has come.
		for (const page of missing) if (loading.size < 2) fetchPage(page).then(layout, () => setTimeout(layout, 2000));
	}

	// order gives the rows that are built the places in the document that they have
	// on the screen, once these rest: a screen reader reads the document.
	let rest = 0;
	function order() {
		const rows = [...shown].sort((a, b) => a[0] - b[0]).map(([, node]) => node.element);
		if (rows.every((row, i) => row === body.children[i])) return;
		const focused = body.contains(document.activeElement) && document.activeElement;
		body.append(...rows);
		if (focused) focused.focus({ preventScroll: true });
	}

	// build makes an empty row, and keeps its parts at hand.
	function build() {
		const element = make("div", "row", "row");
		const name = make("span", "name", "gridcell");
		const indent = shape("svg", { class: "indent", height: 1 });
		const fold = make("button", "fold");
		fold.type = "button";
		fold.tabIndex = -1;
		const dot = make("i", "dot");
		dot.setAttribute("aria-hidden", true);
		const link = make("a", "open");
		link.tabIndex = -1;
		const text = link.appendChild(make("bdi", ""));
		const tags = [make("span", "tag bad"), make("span", "tag"), make("span", "tag")];
		for (const [i, label] of ["error", "waits for its parent", "open"].entries()) tags[i].textContent = label;
		name.append(indent, fold, dot, link, ...tags);
		const cells = (view === "tree" ? ["kind", "num", "num", "num", "num", "num"] : ["num"]).map((c) => make("span", c, "gridcell"));
		element.append(name, ...cells);
		const node = { element, indent, fold, dot, link, text, tags, cells };
		if (view !== "tree") {
			node.svg = shape("svg", { viewBox: "0 0 1000 14", preserveAspectRatio: "none", role: "img" });
			node.bar = node.svg.appendChild(shape("rect", { y: 1, height: 12 }));
			node.waiting = node.svg.appendChild(shape("rect", { class: "waiting", y: 1, height: 12 }));
			node.path = node.svg.appendChild(shape("path", { class: "path" }));
			node.first = node.svg.appendChild(shape("rect", { class: "first", y: 0, width: 3, height: 14 }));
			element.appendChild(make("span", "axis", "gridcell")).append(node.svg);
		}
		return node;
	}

	function make(name, classes, role) {
		const node = document.createElement(name);
		node.className = classes;
		if (role) node.setAttribute("role", role);
		return node;
	}
	function shape(name, attributes) {
		const node = document.createElementNS(svgNS, name);
		set(node, attributes);
		return node;
	}
	function set(node, attributes) {
		for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
	}

	// fill shows a row, or that it is still to come.
	function fill(node, index, row, link) {
		const { element } = node;
		node.row = row;
		element.id = `row-${index}`;
		element.dataset.index = index;
		element.setAttribute("aria-rowindex", index + 1);
		const flags = row ? row[FLAGS] : 0;
		node.tags.forEach((tag, i) => (tag.hidden = !(flags & (1 << i))));
		node.fold.hidden = !row || row[BELOW] === 0;
		node.svg?.toggleAttribute("hidden", !row);
		if (!row) {
			delete element.dataset.event;
			node.text.textContent = "…";
			node.link.removeAttribute("href");
			element.removeAttribute("aria-expanded");
			for (const cell of node.cells) cell.textContent = cell.title = "";
			return;
		}
		element.dataset.event = row[ID];
		element.setAttribute("aria-level", row[DEPTH] + 1);
		node.indent.setAttribute("width", Math.min(row[DEPTH], 24) * 16 + 20);
		if (row[BELOW] > 0) {
			const isClosed = closed.some(([event]) => event === index);
			element.setAttribute("aria-expanded", !isClosed);
			node.fold.textContent = isClosed ? "▸" : "▾";
			node.fold.setAttribute("aria-label", `${isClosed ? "Show" : "Hide"} ${row[BELOW]} events below`);
		} else element.removeAttribute("aria-expanded");
		node.dot.className = `dot ${row[TYPE]}${flags & failed ? " error" : ""}`;
		link.searchParams.set("event", row[ID]);
		node.link.href = link.href;
		node.text.textContent = nameOf(index, row[NAME]) || "(no name)";
		const took = flags & backwards ? "ends before its start" : flags & unended ? "–" : duration(row[TOOK]);
		if (view !== "tree") {
			node.cells[0].textContent = took;
			draw(node, row);
			return;
		}
		const texts = [
			row[KIND] || row[TYPE],
			took,
			row[SELF] === null ? "–" : duration(row[SELF]),
			row[IN] === null && row[OUT] === null ? "–" : `${short(row[IN])} / ${short(row[OUT])}`,
			row[COST],
			row[ERRORS] || "",
		];
		for (const [i, text] of texts.entries()) node.cells[i].textContent = text;
		node.cells[4].title = row[WHY] < 0 ? "" : nameOf(index, row[WHY]);
		node.cells[5].classList.toggle("bad", row[ERRORS] > 0);
	}

	// draw shows the time of a row.
	function draw(node, row) {
		const flags = row[FLAGS];
		const [from, to] = part();
		const place = (ms) => Math.min(Math.max(((ms - from) / (to - from)) * 1000, 0), 1000);
		const inside = row[START] <= to && row[START] + row[TOOK] >= from;
		const x = Math.min(place(row[START]), 998);
		const classes = `bar ${row[TYPE]}${flags & failed ? " error" : ""}${flags & unended ? " unended" : ""}`;
		set(node.bar, { class: classes, x, width: inside ? Math.max(place(row[START] + row[TOOK]) - x, 2) : 0 });
		const first = row[START] + row[FIRST];
		const hasFirst = row[FIRST] !== null && first >= from && first <= to;
		const marks = row[PATH] ?? [];
		let d = "";
		for (let i = 0; i < marks.length; i += 2) if (marks[i + 1] > from && marks[i] < to) d += `M${place(marks[i])} 12.5H${place(marks[i + 1])}`;
		node.path.setAttribute("d", d);
		node.svg.setAttribute("aria-label", `starts at ${duration(row[START])}${hasFirst ? `, first token after ${duration(row[FIRST])}` : ""}${marks.length ? ", on the critical path" : ""}`);
		const came = hasFirst ? Math.max(place(first), x) : x;
		set(node.waiting, { x, width: came - x });
		set(node.first, { x: came, width: hasFirst ? 3 : 0 });
	}

	async function toggle(index, close) {
		await fetchPage(Math.floor(index / pageSize));
		const row = data(index);
		if (!row || row[BELOW] === 0) return;
		const isClosed = closed.some(([event]) => event === index);
		if (close === isClosed) return;
		folds++;
		if (isClosed) closed = closed.filter(([event]) => event !== index);
		else {
			// What was closed below opens with it: ranges never lie in each other.
			closed = closed.filter(([event]) => event < index || event > index + row[BELOW]);
			closed.push([index, row[BELOW], row[ID]]);
			closed.sort((a, b) => a[0] - b[0]);
		}
		for (const node of shown.values()) node.row = null; // their places have changed
		layout();
	}

	// update shows the events of a newer page. Rows are known by their events: what
	// is current, closed and in sight stays so, wherever it stands now.
	async function update(page) {
		const next = page.getElementById("rows");
		if (!next) return;
		const anchor = indexAt(Math.floor(grid.scrollTop / height));
		const was = { current, folds, place: placeOf(anchor) };
		const ask = new URLSearchParams({ from: Math.floor(anchor / pageSize) * pageSize, n: pageSize });
		const kept = closed.slice(0, 100);
		for (const id of [data(current)?.[ID], data(anchor)?.[ID], ...kept.map((c) => c[2])]) ask.append("place", id ?? "");
		const response = await fetch(`${grid.dataset.data}?${ask}`);
		if (!response.ok) throw new Error(String(response.status));
		const part = await response.json();
		if (folds !== was.folds) return update(page);
		const [now, top, ...folded] = part.places;
		version++;
		loading.clear();
		pages.clear();
		pages.set(Math.floor(part.from / pageSize), part);
		({ total, span } = part);
		closed = [];
		for (const [i, place] of folded.entries()) if (place?.[1] > 0) closed.push([...place, kept[i][2]]);
		closed.sort((a, b) => a[0] - b[0]);
		closed = closed.filter(([event], i) => i === 0 || event > closed[i - 1][0] + closed[i - 1][1]);
		current = Math.min(now ? now[0] + current - was.current : current, total - 1); // the reader may have gone on
		const nodes = new Map([...shown.values()].filter((n) => n.row).map((n) => [n.row[ID], n]));
		for (const node of shown.values()) node.row = null;
		const old = shown;
		shown = new Map();
		for (const [i, row] of part.rows.entries()) if (nodes.has(row[ID])) shown.set(part.from + i, nodes.get(row[ID]));
		for (const node of old.values()) if (![...shown.values()].includes(node)) node.element.remove();
		patch(grid.querySelector(".head-row"), next.querySelector(".head-row"));
		grid.setAttribute("aria-rowcount", total);
		body.style.height = `${count() * height}px`;
		if (top) grid.scrollTop += (placeOf(top[0]) - was.place) * height;
		paint();
	}

	const atEnd = () => {
		const box = grid.getBoundingClientRect();
		return grid.scrollTop + grid.clientHeight >= grid.scrollHeight - height && box.bottom <= innerHeight + 40;
	};
	function toEnd() {
		paint();
		grid.scrollTop = grid.scrollHeight;
		if (grid.getBoundingClientRect().bottom > innerHeight) grid.scrollIntoView({ block: "end" });
	}

	function moveTo(index) {
		reveal = true;
		current = Math.min(Math.max(index, 0), total - 1);
		const top = placeOf(current) * height;
		const head = height; // the row of heads covers the first
		if (top < grid.scrollTop) grid.scrollTop = top;
		else if (top + height > grid.scrollTop + grid.clientHeight - head) grid.scrollTop = top + height - grid.clientHeight + head;
		layout();
	}
	const step = (by) => () => moveTo(indexAt(Math.min(Math.max(placeOf(current) + by, 0), count() - 1)));

	async function nextError(by, from = current) {
		for (let i = from + by; i >= 0 && i < total; i += by) {
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
		reveal = false; // a page that was just opened stays where it is
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
	// zoom leads to a part of the time line.
	function zoom(from, to) {
		const url = new URL(location.href);
		const exact = (ms) => String(Math.round(ms * 1000) / 1000);
		if (from > 0 || to < span) url.searchParams.set("zoom", `${exact(Math.max(from, 0))}-${exact(Math.min(to, span))}`);
		else url.searchParams.delete("zoom");
		location.assign(url);
	}
	if (view === "timeline") {
		axis(grid, (a, b) => {
			const [from, to] = part();
			zoom(from + a * (to - from), from + b * (to - from));
		});
		onKey("z", () => {
			const row = data(current);
			if (row && row[TOOK] > 0) zoom(row[START], row[START] + row[TOOK]);
		});
		onKey("Z", () => zoom(0, span));
	}
	start();
	return {
		layout,
		update,
		atEnd,
		toEnd,
		nextError,
		choose(id) {
			chosen = id;
			layout();
		},
	};
}

// axis lets the reader choose a part of the time line by dragging on its head.
function axis(grid, choose) {
	const head = grid.querySelector(".head-row .axis");
	const mark = document.createElementNS(svgNS, "rect");
	mark.setAttribute("class", "brush");
	mark.setAttribute("height", 20);
	head.querySelector("svg").append(mark);
	let start = null;
	const at = (e) => {
		const box = head.getBoundingClientRect();
		return Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1);
	};
	head.addEventListener("pointerdown", (e) => {
		if (e.button !== 0) return;
		start = at(e);
		head.setPointerCapture(e.pointerId);
		e.preventDefault();
	});
	head.addEventListener("pointermove", (e) => {
		if (start === null) return;
		mark.setAttribute("x", `${Math.min(start, at(e)) * 100}%`);
		mark.setAttribute("width", `${Math.abs(at(e) - start) * 100}%`);
	});
	head.addEventListener("pointerup", (e) => {
		const end = at(e);
		if (start !== null && Math.abs(end - start) > 0.01) choose(Math.min(start, end), Math.max(start, end));
		start = null;
		mark.setAttribute("width", 0);
	});
	head.addEventListener("pointercancel", () => {
		start = null;
		mark.setAttribute("width", 0);
	});
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
