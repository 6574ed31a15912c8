/*
 * What is streaming on the network now.
 */
import { notice } from "./element.js";
import { FoundList } from "./found.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const FRESH = 15000; // milliseconds; each look asks the whole network

export class Streams {
    constructor(root, { api, getting }) {
        Object.assign(this, { root, api });
        this.streams = null;
        this.problem = null;
        this.looked = 0;
        root.className = "ln-streams";
        render(html`<div class="ln-bar"><h2>${t("streams")}</h2><button type="button" class="ln-button ln-small" @click=${() => this.look(true)}>
            ${t("look_again")}</button></div><div class="ln-empty"></div><div></div>`, root);
        [, this.empty, this.place] = root.children;
        this.list = new FoundList(this.place, getting);
    }

    show(model) {
        this.peers = model.get("peers") ?? [];
        this.look();
        this.draw();
    }

    async look(now = false) {
        if (this.looking || document.hidden || (!now && performance.now() - this.looked < FRESH && this.looked)) return;
        this.looking = true;
        try {
            const { streams } = await this.api.get("/streams");
            [this.streams, this.problem] = [streams, null];
        } catch (error) {
            this.problem = error;
        } finally {
            this.looking = false;
            this.looked = performance.now();
        }
        this.draw();
    }

    draw() {
        const streams = this.problem ? [] : this.streams ?? [];
        const why = this.problem && (this.problem.status === 404 || this.problem.status === 405 ? t("streams_never") : this.problem.message);
        render(why ? notice("error", t("streams_fail"), why) : this.streams === null ? html`<p class="ln-loading" role="status">${t("peers_loading")}</p>`
            : streams.length ? nothing : html`<p class="ln-sub">${t("streams_none")}</p>`, this.empty);
        this.list.show(streams, this.peers ?? []);
    }

    stop() { this.list.stop(); }
}
