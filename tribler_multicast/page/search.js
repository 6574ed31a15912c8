/*
 * Search on the local network: results as they come.
 */
import { ApiError } from "./api.js";
import { notice } from "./element.js";
import { FoundList } from "./found.js";
import { idOf } from "./getting.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const PATIENCE = 3; // seconds that a search takes when somebody does not answer

export class Search {
    constructor(root, { api, getting }) {
        Object.assign(this, { root, api });
        this.results = [];
        this.state = "idle";
        this.text = "";
        root.className = "ln-search";
        render(html`<form role="search" class="ln-ask" @submit=${(event) => this.submit(event)}>
                <input type="search" name="query" maxlength="200" autocomplete="off" placeholder=${t("search_for")} aria-label=${t("search_for")}>
                <button type="submit" class="ln-button" data-kind="main">${t("search")}</button></form>
            <p class="ln-sub" role="status"></p><div class="ln-empty"></div><div></div>`, root);
        this.input = root.querySelector("input");
        [, this.said, this.empty, this.place] = root.children;
        this.list = new FoundList(this.place, getting);
    }

    submit(event) {
        event.preventDefault();
        const text = this.input.value.trim();
        if (text) this.search(text);
    }

    async search(text) {
        this.giveUp?.abort();
        const giveUp = this.giveUp = new AbortController();
        Object.assign(this, { text, results: [], state: "busy", problem: "" });
        this.draw();
        try {
            const path = `/search?query=${encodeURIComponent(text)}&timeout=${PATIENCE}`;
            for await (const { results } of this.api.lines(`${path}&live=true`, giveUp.signal)) {
                this.merge(results);
                this.draw();
            }
            if (this.giveUp === giveUp) this.state = "done";
        } catch (error) {
            if (error.name === "AbortError") return;
            this.state = "failed";
            this.problem = error instanceof ApiError ? error.message : String(error);
        }
        this.draw();
    }

    /** Later news of the same thing take the place of earlier ones; the order stays, so that nothing moves under a pointer. */
    merge(news) {
        const places = new Map(this.results.map((result, place) => [`${result.kind} ${idOf(result)}`, place]));
        for (const result of news) {
            const place = places.get(`${result.kind} ${idOf(result)}`);
            if (place === undefined) this.results.push(result);
            else this.results[place] = result;
        }
    }

    show(model) {
        this.peers = model.get("peers") ?? [];
        this.draw();
    }

    draw() {
        const { state, results } = this;
        this.said.textContent = state === "busy" ? t("searching") : state === "done" && results.length ? t("results", { n: results.length }) : "";
        const nothingFound = state === "done" && !results.length;
        render(state === "failed" ? notice("error", t("search_failed"), this.problem)
            : nothingFound ? notice("empty", t("search_none", { text: this.text }), t("search_none_do"))
                : state === "idle" ? html`<p class="ln-sub">${t("search_help")}</p>` : nothing, this.empty);
        this.list.show(results, this.peers ?? []);
    }

    stop() {
        this.giveUp?.abort();
        this.list.stop();
    }
}
