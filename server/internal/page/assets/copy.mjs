// Copies: what a button names, or the command.
import { onKey } from "./keys.mjs";
import { say } from "./fetch.mjs";

async function copy(button, read) {
	const label = button.textContent;
	const small = button.classList.contains("copy"); // its label is that of a style
	const tell = (text) => {
		if (small) button.dataset.done = text;
		else button.textContent = text;
		say(text);
	};
	try {
		await write(await read());
		tell("Copied");
	} catch {
		tell("Not allowed");
	}
	setTimeout(() => (small ? delete button.dataset.done : (button.textContent = label)), 1500);
}

// write puts a text into the clipboard. A page that came by plain HTTP from
// another machine has only the old way.
async function write(value) {
	if (navigator.clipboard) return navigator.clipboard.writeText(value);
	const field = document.createElement("textarea");
	field.value = value;
	field.className = "visually-hidden";
	document.body.append(field);
	field.select();
	const copied = document.execCommand("copy");
	field.remove();
	if (!copied) throw new Error("not copied");
}

async function text(url) {
	const response = await fetch(url);
	if (!response.ok) throw new Error(String(response.status));
	return response.text();
}

export function copying() {
	document.addEventListener("click", (e) => {
		const button = e.target.closest("button");
		if (button?.dataset.from) copy(button, () => text(button.dataset.from));
		else if (button?.dataset.copy) copy(button, () => document.getElementById(button.dataset.copy).textContent);
		else if (button?.dataset.copyIn) copy(button, () => button.closest(button.dataset.copyIn).querySelector("pre, .prose, .plain, bdi").textContent);
	});
	const press = (id) => () => document.getElementById(id)?.click();
	onKey("y", () => (document.getElementById("copy-event") ?? document.getElementById("copy-json"))?.click());
	onKey("c", press("copy-curl"));
}
