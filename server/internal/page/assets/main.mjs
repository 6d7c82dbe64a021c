// What every page does; the parts of the list and of a session are loaded where
// they are needed. Text never becomes markup here: nodes are made one by one, or
// taken from a page of this server that the browser has parsed.
import { keys } from "./keys.mjs";
import { copying } from "./copy.mjs";
import { times } from "./times.mjs";

document.documentElement.classList.add("js");
keys();
copying();
times();
if (document.getElementById("q")) {
	const { asking } = await import("./ask.mjs");
	asking(document.getElementById("q"));
}
const { page } = document.body.dataset;
if (page === "sessions") {
	const { list } = await import("./list.mjs");
	list();
} else if (page === "session") {
	const { session } = await import("./session.mjs");
	session();
} else if (page === "experiments") {
	const { runs } = await import("./runs.mjs");
	runs();
}
document.documentElement.dataset.ready = "true";
