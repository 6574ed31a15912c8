/**
 * The page "Local network" in the window of an unmodified Tribler 8.4: one more entry of the menu, and what it shows.
 *
 * Tribler's window belongs to React. What is put into it here is never beneath anything that React might fill with
 * other data: the entry stands in the menu beside React's own ones, the page beside the place where React puts Tribler's
 * pages; both are put back when React makes their surroundings anew. An address that Tribler does not know shows an error
 * without the menu, so the page has the address of the search page with nothing to search for, which asks for nothing.
 *
 * A Tribler that was built with the patch (`gui_patch`) has entry and page itself; then only the marks are made here.
 */
import { Marks } from "./tribler-marks.js";
import { languageOfHost, wordsOf } from "./tribler-words.js";

const ADDRESS = "#/search?local-network";
const PATCHED_ADDRESS = "#/local-network";
const COMPONENT = "tribler-local-network";
const PAGE_CLASS = "tribler-multicast-page";

/** Ours is drawn as Tribler's icons are: 15 by 15, one colour, the text's. Three nodes and what connects them. */
const ICON = `<svg width="15" height="15" viewBox="0 0 15 15" fill="none" stroke="currentColor" class="mr-2" aria-hidden="true">
    <circle cx="7.5" cy="2.8" r="1.8"/><circle cx="2.8" cy="12.2" r="1.8"/><circle cx="12.2" cy="12.2" r="1.8"/>
    <path d="M7.5 4.6v3M2.8 10.4V7.6h9.4v2.8"/></svg>`;

const STYLE = `
    div:has(> .${PAGE_CLASS}[data-guest]) > :not(.${PAGE_CLASS}) { display: none; }
    .${PAGE_CLASS} { flex: 1 1 auto; min-width: 0; }
    @media (max-width: 767px) { .${PAGE_CLASS} { max-width: 100vw; } } /* where Tribler's header is wider than the window */
    .${PAGE_CLASS} header { background: none; }
    .${PAGE_CLASS} .ln-notice ol { list-style: decimal; }
`;

/** Where in Tribler this is, by the address. */
export function placeOf(hash) {
    const [path, query = ""] = hash.replace(/^#/u, "").split("?", 2);
    return { path, query: new URLSearchParams(query) };
}

/** Is this the address of the page? */
export function isOurs({ path, query }) {
    return path === "/search" && query.has("local-network") && !query.has("query");
}

/** Entry of the menu: looks like the one above it and does what that does. */
class Entry {
    constructor() {
        this.link = document.createElement("a");
        this.link.href = ADDRESS;
        this.link.innerHTML = `${ICON} <span></span>`;
        this.link.addEventListener("click", () => closeMenus());
    }

    update(shown, title) {
        const above = document.querySelector('#root aside nav a[href="#/popular"]');
        if (above === null || document.querySelector(`#root aside nav a[href="${PATCHED_ADDRESS}"]`) !== null) {
            this.link.remove();
            return;
        }
        const classes = above.className.split(" ").filter((name) => name !== "bg-accent");
        if (shown) classes.push("bg-accent");
        if (this.link.className !== classes.join(" ")) this.link.className = classes.join(" ");
        const label = this.link.lastChild;
        if (label.textContent !== title) label.textContent = title;
        if (shown) this.link.setAttribute("aria-current", "page");
        else this.link.removeAttribute("aria-current");
        if (above.nextSibling !== this.link) above.after(this.link);
    }
}

/**
 * Has Tribler close what it closes when one of its own entries is chosen: the list of downloads or settings, and on narrow
 * windows the menu. A click that is refused beforehand goes nowhere, and React hears it all the same.
 */
function closeMenus() {
    const other = document.querySelector('#root aside nav a[href="#/popular"]');
    other?.addEventListener("click", (event) => event.preventDefault(), { once: true, capture: true });
    other?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
}

/** The page itself, in the place of Tribler's pages. */
class Page {
    constructor() {
        this.host = null;
    }

    update(shown, language) {
        const menu = document.querySelector("#root aside");
        const content = menu?.parentElement?.nextElementSibling ?? null;
        if (!shown || content === null) {
            this.host?.remove();
            this.host = null;
            return;
        }
        this.host ??= this.make();
        if (this.host.lang !== language) {
            this.host.lang = language;
            this.host.firstElementChild?.setAttribute("lang", language);
        }
        if (this.host.parentElement !== content) content.append(this.host);
    }

    make() {
        const host = document.createElement("div");
        host.className = PAGE_CLASS;
        host.dataset.guest = "";
        const component = document.createElement(COMPONENT);
        host.append(component);
        import("./local-network.js").catch((error) => {
            console.error("tribler-multicast:", error);
            component.replaceWith(wordsOf(languageOfHost()).failed);
        });
        return host;
    }
}

/** All of it. */
class Guest {
    constructor(root) {
        this.entry = new Entry();
        this.page = new Page();
        this.soon = this.soon.bind(this);
        this.marks = new Marks(this.soon);
        this.due = false;
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        const observer = new MutationObserver((records) => {
            const { host } = this.page; // what changes within the page is its own affair
            if (host === null || records.some(({ target }) => !host.contains(target))) this.soon();
        });
        observer.observe(root, { childList: true, subtree: true, characterData: true });
        globalThis.addEventListener("popstate", this.soon);
        globalThis.addEventListener("hashchange", this.soon);
        document.addEventListener("visibilitychange", this.soon);
        // Tribler goes from page to page by these two, and no event tells.
        for (const name of ["pushState", "replaceState"]) {
            const original = history[name];
            history[name] = (...values) => {
                original.apply(history, values);
                this.soon();
            };
        }
        this.soon();
    }

    /** Looks at Tribler once before it is drawn next, however much changed until then. */
    soon() {
        if (this.due) return;
        this.due = true;
        requestAnimationFrame(() => {
            this.due = false;
            try {
                this.update();
            } catch (error) {
                console.error("tribler-multicast:", error);
            }
        });
    }

    update() {
        const place = placeOf(location.hash);
        const language = languageOfHost();
        const words = wordsOf(language);
        const shown = isOurs(place);
        this.entry.update(shown, words.title);
        this.page.update(shown, language);
        this.marks.update(place, words.local);
    }
}

// Tribler takes an error that nobody caught for the end of its user interface, whoever made it: ours are not its business.
globalThis.addEventListener("unhandledrejection", (event) => {
    if (String(event.reason?.stack).includes("/ui/multicast/")) {
        event.stopImmediatePropagation();
        event.preventDefault();
        console.error("tribler-multicast:", event.reason);
    }
});

// What a Tribler that was built with the patch looks at: the plugin is there.
globalThis.triblerLocalNetwork = true;

const root = document.getElementById("root");
if (root !== null) globalThis.triblerLocalNetworkGuest = new Guest(root);
