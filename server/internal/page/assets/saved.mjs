// Filters that the reader has saved by name. They are kept in this browser: a filter may
// name a user or a text, and concerns nobody else. Each is a plain link.
import { say } from "./fetch.mjs";

const key = "sessionspan-filters";
const most = 50;

function read() {
	try {
		const list = JSON.parse(localStorage.getItem(key) ?? "[]");
		return Array.isArray(list) ? list.filter((f) => typeof f?.name === "string" && typeof f?.query === "string").slice(0, most) : [];
	} catch {
		return [];
	}
}

// here is the filter of this page, without what is the state of one visit.
function here() {
	const query = new URLSearchParams(location.search);
	for (const name of ["after", "paused", "sums"]) query.delete(name);
	for (const [name, value] of [...query]) if (value === "") query.delete(name);
	query.sort();
	return query.toString();
}

export function saved() {
	const box = document.getElementById("saved");
	if (!box) return;
	const form = box.querySelector("form");
	const show = () => {
		const list = read();
		const now = here();
		box.querySelector("ul").replaceChildren(
			...list.map((filter) => {
				const item = document.createElement("li");
				const link = document.createElement("a");
				link.href = `/?${filter.query}`;
				link.textContent = filter.name;
				if (filter.query === now) link.setAttribute("aria-current", "true");
				const gone = document.createElement("button");
				gone.type = "button";
				gone.className = "quiet";
				gone.textContent = "×";
				gone.setAttribute("aria-label", `Forget the filter ${filter.name}`);
				gone.addEventListener("click", () => {
					write(read().filter((f) => f.name !== filter.name));
					form.querySelector("input").focus();
				});
				item.append(link, gone);
				return item;
			}),
		);
		form.hidden = now === "" || list.some((f) => f.query === now);
		box.hidden = form.hidden && list.length === 0;
	};
	const write = (list) => {
		localStorage.setItem(key, JSON.stringify(list.slice(-most)));
		show();
	};
	form.addEventListener("submit", (e) => {
		e.preventDefault();
		const field = form.querySelector("input");
		const name = field.value.trim();
		if (name === "") return;
		write([...read().filter((f) => f.name !== name), { name, query: here() }]);
		field.value = "";
		say(`The filter ${name} is saved`);
		box.querySelector("[aria-current]")?.focus();
	});
	addEventListener("storage", (e) => e.key === key && show());
	show();
}
