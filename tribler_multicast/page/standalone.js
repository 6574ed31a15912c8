/*
 * The page by itself: the element fills it, the address names what it shows, the browser its language.
 */
import { VIEWS } from "./local-network.js";
import { language, speak } from "./strings.js";

const page = document.createElement("tribler-local-network");
page.key = new URLSearchParams(location.search).get("key") ?? "";

function follow() {
    const view = location.hash.slice(1);
    page.view = VIEWS.includes(view) ? view : VIEWS[0];
}

page.addEventListener("view", ({ detail }) => history.replaceState(null, "", `#${detail.view}`));
page.addEventListener("count", ({ detail }) => {
    document.title = detail.online ? `(${detail.online}) ${detail.title}` : detail.title;
});
addEventListener("hashchange", follow);
follow();
await speak(...navigator.languages);
document.documentElement.lang = language();
document.querySelector("main").append(page);
