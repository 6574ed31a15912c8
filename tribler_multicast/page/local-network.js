/*
 * The element <tribler-local-network>: what is on the local network, live.
 *
 *     <script type="module" src="…/local-network.js"></script>
 *     <tribler-local-network api="/api/multicast" key="…" view="network"></tribler-local-network>
 *
 * `api` (attribute and property): address of the API. `key`: its key; none: the cookie of the host counts. `view`: one of
 * VIEWS. `bare`: without title and tabs, just the view. `lang`: the language, before that of the document.
 *
 * It fires `view` ({view}) when the user goes to another view and `count` ({online, title}) when others came or went. It
 * lives in the document of its host, not in a shadow: its style sheet stands beside this module, every class begins with
 * `ln-`, and dark and light follow the class of <html>, or the system where it has none. Whatever comes from the network is
 * put on the page as text, never as HTML.
 */
import { Api } from "./api.js";
import { App } from "./app.js";
import { speak } from "./strings.js";

export { Api, ApiError } from "./api.js";
export { EventStream } from "./events.js";
export { VIEWS } from "./app.js";

const SHEET = new URL("./local-network.css", import.meta.url).href;

function addSheet() {
    for (const link of document.querySelectorAll("link[rel=stylesheet]")) if (link.href === SHEET) return;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = SHEET;
    document.head.append(link);
}

export class LocalNetwork extends HTMLElement {
    static observedAttributes = ["api", "key", "view", "bare", "lang"];

    #key = null;
    #app = null;
    #turn = null;

    get api() { return this.getAttribute("api") ?? "/api/multicast"; }
    set api(value) { this.setAttribute("api", value); }

    /** Not reflected as an attribute: a key need not stand in the document. */
    get key() { return this.#key ?? this.getAttribute("key") ?? ""; }
    set key(value) {
        this.#key = value;
        this.#restart();
    }

    get view() { return this.getAttribute("view") ?? "network"; }
    set view(value) { this.setAttribute("view", value); }

    get bare() { return this.hasAttribute("bare"); }
    set bare(value) { this.toggleAttribute("bare", value); }

    connectedCallback() {
        addSheet();
        this.#start();
    }

    disconnectedCallback() { this.#stop(); }

    attributeChangedCallback(name, before, after) {
        if (before === after || !this.isConnected) return;
        if (name === "view") this.#app?.open(this.view);
        else this.#restart();
    }

    /** Begin, with the words of the language at hand. */
    async #start() {
        const turn = this.#turn = {};
        await speak(this.lang, document.documentElement.lang, ...navigator.languages);
        if (this.#turn !== turn) return;
        this.#app = new App(this, new Api(this.api, this.key), { view: this.view, bare: this.bare });
    }

    #stop() {
        this.#turn = null;
        this.#app?.stop();
        this.#app = null;
    }

    #restart() {
        if (!this.isConnected) return;
        this.#stop();
        this.#start();
    }
}

if (!customElements.get("tribler-local-network")) customElements.define("tribler-local-network", LocalNetwork);
