// The box of the query: how its last part may go on, as the server says. A combobox as
// ARIA has it, whose list never takes the focus; without it the box is a text field.
export function asking(box) {
	const list = document.createElement("ul");
	list.id = "q-options";
	list.className = "options";
	list.setAttribute("role", "listbox");
	list.setAttribute("aria-label", "How the query may go on");
	list.hidden = true;
	box.parentElement.append(list);
	box.setAttribute("role", "combobox");
	box.setAttribute("aria-autocomplete", "list");
	box.setAttribute("aria-controls", list.id);
	let at = -1; // the option that is chosen
	let take = ""; // what it takes the place of
	let asked = 0;

	const close = () => {
		asked++;
		list.hidden = true;
		at = -1;
		box.setAttribute("aria-expanded", "false");
		box.removeAttribute("aria-activedescendant");
	};
	close();

	const choose = (n) => {
		const options = [...list.children];
		at = (n + options.length) % options.length;
		options.forEach((o, i) => o.setAttribute("aria-selected", String(i === at)));
		box.setAttribute("aria-activedescendant", options[at].id);
		options[at].scrollIntoView({ block: "nearest" });
	};

	const show = (options) => {
		list.replaceChildren(
			...options.map((o, i) => {
				const item = document.createElement("li");
				item.id = `q-option-${i}`;
				item.setAttribute("role", "option");
				item.setAttribute("aria-selected", "false");
				item.dataset.text = o.text;
				item.dataset.whole = o.whole;
				const text = document.createElement("code");
				text.textContent = o.text;
				item.append(text);
				if (o.about) item.append(" ", o.about);
				return item;
			}),
		);
		at = -1;
		box.removeAttribute("aria-activedescendant");
		list.hidden = options.length === 0;
		box.setAttribute("aria-expanded", String(!list.hidden));
	};

	const ask = async () => {
		const mine = ++asked;
		const before = box.value.slice(0, box.selectionStart);
		let answer = { take: "", options: [] };
		try {
			const response = await fetch(`/complete?before=${encodeURIComponent(before)}`);
			if (response.ok) answer = await response.json();
		} catch {
			// Without an answer there is nothing to offer.
		}
		if (mine !== asked || document.activeElement !== box) return;
		take = answer.take;
		show(answer.options.filter((o) => o.text !== take));
	};

	const accept = (item) => {
		const end = box.selectionStart;
		const whole = item.dataset.whole === "true";
		const before = box.value.slice(0, end - take.length) + item.dataset.text + (whole ? " " : "");
		box.value = before + box.value.slice(end);
		box.setSelectionRange(before.length, before.length);
		close();
		if (!whole) ask();
	};

	box.addEventListener("input", ask);
	box.addEventListener("blur", close);
	box.addEventListener("keydown", (e) => {
		if (e.isComposing) return;
		if (list.hidden) {
			if (e.key === "ArrowDown") {
				e.preventDefault();
				ask();
			}
			return;
		}
		if (e.key === "ArrowDown") choose(at + 1);
		else if (e.key === "ArrowUp") choose(at < 0 ? -1 : at - 1);
		else if (e.key === "Escape") {
			close();
			e.stopPropagation();
		} else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) accept(list.children[at]);
		else return;
		e.preventDefault();
	});
	// The press of a button of the mouse would take the focus from the box.
	list.addEventListener("mousedown", (e) => e.preventDefault());
	list.addEventListener("click", (e) => {
		const item = e.target.closest("li");
		if (item) accept(item);
	});
}
