import { localize } from "./times.mjs";

// load asks this server for a page and returns it parsed, as a document in which
// nothing runs.
export function load(url) {
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		request.open("GET", url);
		request.responseType = "document";
		request.onload = () => {
			if (!request.response) return reject(new Error(`${url}: ${request.status}`));
			localize(request.response);
			resolve(request.response);
		};
		request.onerror = () => reject(new Error(`${url}: no answer`));
		request.send();
	});
}

// replace puts the element of a loaded page in the place of the one that stands
// here.
export function replace(from, id) {
	const old = document.getElementById(id);
	const next = from.getElementById(id);
	if (old && next) old.replaceWith(document.importNode(next, true));
	return Boolean(old && next);
}

// say tells those who do not see the page.
export function say(text) {
	document.getElementById("status").textContent = text;
}

// stream follows the changes in the store. The browser comes back by itself
// with the id of the last one; changed is called at most once in a while, with a map
// of the ids of sessions to whether they were deleted, or with null where all may have
// changed.
export function stream(after, changed, state) {
	let source;
	let last = after;
	let ids = new Map();
	let all = false;
	let timer = 0;
	const flush = () => {
		timer = 0;
		const known = all ? null : ids;
		ids = new Map();
		all = false;
		changed(known);
	};
	const later = () => {
		timer ||= setTimeout(flush, 400);
	};
	const open = () => {
		source = new EventSource(`/api/stream?after=${last}`);
		source.addEventListener("open", () => state("on"));
		source.addEventListener("error", () => {
			state("lost");
			// A browser gives up after an answer that is no stream.
			if (source.readyState === EventSource.CLOSED) setTimeout(() => source && open(), 3000);
		});
		source.addEventListener("session", (e) => {
			last = e.lastEventId;
			const { session, deleted } = JSON.parse(e.data);
			ids.set(session, deleted);
			later();
		});
		source.addEventListener("resync", (e) => {
			last = e.lastEventId;
			all = true;
			later();
		});
	};
	const close = () => {
		source?.close();
		source = undefined;
	};
	let paused = false;
	// A hidden page holds no connection: a browser has six of them for a server.
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) close();
		else if (!paused && !source) open();
	});
	return {
		pause() {
			paused = true;
			close();
			state("off");
		},
		go() {
			paused = false;
			if (!source && !document.hidden) open();
		},
	};
}
